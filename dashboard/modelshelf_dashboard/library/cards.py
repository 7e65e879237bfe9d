"""A model's card as its publisher wrote it: Markdown that nobody vouches for, made harmless before it is shown."""

import re
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

import nh3

from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

LONGEST = 200_000  # characters; what is longer is cut
TAGS = frozenset(
    {
        *("a", "abbr", "b", "blockquote", "br", "code", "del", "details", "div", "em", "h1", "h2", "h3", "h4", "h5"),
        *("h6", "hr", "i", "kbd", "li", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "summary"),
        *("sup", "table", "tbody", "td", "th", "thead", "tr", "ul"),
    }
)
ATTRIBUTES = {"a": {"href", "title"}, "td": {"align"}, "th": {"align"}}
_FRONT = re.compile(r"\A\s*---\s*\n.*?\n---\s*(\n|\Z)", re.DOTALL)


def render(text: str) -> str:
    """The card as HTML that runs nothing, changes nothing around it, and asks nobody for anything.

    A picture becomes a link to it: nobody learns of the reader before the reader wants that.
    """
    plain = _FRONT.sub("", text[:LONGEST], count=1)
    return nh3.clean(
        _markdown().render(plain),
        tags=set(TAGS),
        attributes={name: set(values) for name, values in ATTRIBUTES.items()},
        url_schemes={"https", "http", "mailto"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        strip_comments=True,
    )


@cache
def _markdown() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["table", "strikethrough"])
    made.add_render_rule("image", _picture)
    return made


def _picture(_self: Any, tokens: Any, place: int, _options: Any, _env: Any) -> str:
    token = tokens[place]
    source, told = str(token.attrs.get("src", "")), escape(token.content or _("picture"))
    return f'<a href="{escape(source)}">{told}</a>' if source.startswith("https://") else told
