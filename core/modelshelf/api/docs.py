"""The description of the API for people: a plain page without scripts or outside requests."""

from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Modelshelf: API</title><style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; } td { padding: .3rem .5rem; vertical-align: top; }
tr + tr td { border-top: 1px solid light-dark(#dde1e7, #2c323c); } code { white-space: nowrap; }
.path { overflow-wrap: anywhere; white-space: normal; }
</style></head><body><main><h1>Modelshelf: the API</h1>
<p>The whole description, for programs: <a href="openapi.json">openapi.json</a>. Every failing call answers
<code>application/problem+json</code> with a <code>remedy</code>.</p>"""


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Every route in a sentence."""
    groups: dict[str, list[str]] = {}
    for path, methods in request.app.openapi()["paths"].items():
        for method, route in methods.items():
            groups.setdefault(route["tags"][0], []).append(_row(method, path, route))
    body = "".join(f"<h2>{escape(tag)}</h2><table>{''.join(rows)}</table>" for tag, rows in groups.items())
    return HTMLResponse(f"{_HEAD}{body}</main></body></html>")


def _row(method: str, path: str, route: dict[str, Any]) -> str:
    names = ", ".join(f"<code>{escape(item['name'])}</code>" for item in route.get("parameters", ()))
    text = escape(route.get("description", ""))
    return (
        f'<tr><td><code>{method.upper()}</code></td><td><code class="path">{escape(path)}</code></td>'
        f"<td>{text}{'<br>' + names if names else ''}</td></tr>"
    )
