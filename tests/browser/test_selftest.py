"""A person proves that it works here, on the page: green steps, a report to keep, the doctor and its support file."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NARROW, WIDE, opener, sign_in
from tests.browser.serving import served
from tests.browser.test_access import serious


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (NARROW, "dark")])
def test_the_self_test_is_run_kept_and_the_doctor_asked(
    chromium: Browser, tmp_path: Path, picture: Callable[[Page, str], Path], width: int, theme: str
) -> None:
    with served(tmp_path / "home") as server, opener(chromium, server, sign_in(chromium, server)) as opens:
        page = opens("?tab=settings&section=status", width=width, theme=theme)
        trial = page.get_by_role("region", name="Self-test", exact=True)
        trial.get_by_role("button", name="Run the self-test").click()
        expect(trial).to_contain_text("open a shelf")
        picture(page, f"selftest-running-{width}-{theme}")
        expect(trial.get_by_role("button", name="Save report")).to_be_visible(timeout=60_000)
        expect(trial.get_by_role("status")).to_contain_text("13 steps passed, 2 did not run")
        trial.scroll_into_view_if_needed()
        picture(page, f"selftest-done-{width}-{theme}")
        with page.expect_download() as kept:
            trial.get_by_role("button", name="Save report").click()
        assert "Nothing is red" in kept.value.path().read_text("utf-8")

        doctor = page.get_by_role("region", name="What is wrong")
        doctor.get_by_role("button", name="Look for what is wrong").click()
        expect(doctor.get_by_role("button", name="Look again")).to_be_visible(timeout=30_000)
        expect(doctor).to_contain_text("provider builtin")
        doctor.scroll_into_view_if_needed()
        picture(page, f"doctor-{width}-{theme}")
        with page.expect_download(timeout=30_000) as given:
            doctor.get_by_role("button", name="Support file").click()
        with zipfile.ZipFile(given.value.path()) as bundle:
            assert {"report.json", "selftest.json"} <= set(bundle.namelist())
        assert serious(page) == []
