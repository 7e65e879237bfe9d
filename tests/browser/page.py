"""What a person sees and does, by names: the tests read like the journey."""

import re

from playwright.sync_api import Locator, Page, expect


def row(page: Page, name: str | re.Pattern[str]) -> Locator:
    """The visible row of a list whose title is exactly this."""
    return page.locator(".item:visible").filter(has=page.get_by_text(name, exact=True))


def drawer(page: Page) -> Locator:
    """The open drawer."""
    return page.locator("aside.drawer:visible")


def search(page: Page, words: str) -> None:
    """Type into the search box of the tab that is shown."""
    page.locator("input[role=combobox]:visible").fill(words)


def reachable(control: Locator) -> bool:
    """Whether a click at its middle would hit it: it is on top, in a tab that is shown."""
    hits = """(node) => {
      node.scrollIntoView({block: 'center'})
      const box = node.getBoundingClientRect()
      let found = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)
      while (found?.shadowRoot) {
        const inner = found.shadowRoot.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)
        if (!inner || inner === found) break
        found = inner
      }
      return !!found && (found === node || node.contains(found))
    }"""
    return bool(control.evaluate(hits))


def ready(page: Page) -> None:
    """Wait until the list has its rows, and the search box hears keys: they are loaded one after the other."""
    expect(page.locator(".item:visible").first).to_be_visible()
    expect(page.locator("input[role=combobox]:visible").first).to_be_visible()


def go(page: Page, tab: str) -> None:
    """Show a tab or a view."""
    page.get_by_role("tab", name=tab).filter(visible=True).click()
