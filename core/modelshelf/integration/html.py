"""The report of a self-test as one page of HTML that holds everything in itself, to read, to send and to print."""

from html import escape

from modelshelf.integration.steps import FAILED, JOURNEY, PASSED, Report, Step

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #5a6370; --line: #d9dee5; --back: #fff;
  --good: #14713d; --bad: #b3261e; --off: #6b7280; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --dim: #a0a9b6; --line: #343b45; --back: #14171b;
  --good: #5ccf8d; --bad: #ff8a80; --off: #9aa3af; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem .4rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
th { color: var(--dim); font-weight: 500; } td.s { white-space: nowrap; }
.passed { color: var(--good); } .failed { color: var(--bad); font-weight: 600; } .off { color: var(--off); }
.remedy { display: block; color: var(--dim); }
@media print { :root { --ink: #000; --dim: #333; --line: #bbb; --back: #fff; --good: #000; --bad: #000; --off: #444; }
  body { margin: 0; max-width: none; font-size: 11pt; } tr { break-inside: avoid; } }
"""
_SIGNS = {PASSED: ("✓", "passed"), FAILED: ("✗", "failed")}


def to_html(report: Report) -> str:
    """The page; all that comes from outside is escaped, and nothing is fetched."""
    red = sum(step.status == FAILED for step in report.steps)
    off = sum(step.status not in (PASSED, FAILED) for step in report.steps)
    told = "Nothing is red" if report.passed else f"{red} of {len(report.steps)} steps are red"
    head = f"{told}; {off} did not run." if off else f"{told}."
    groups = dict.fromkeys(step.group for step in report.steps)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Self-test of Modelshelf</title><style>{_STYLE}</style></head><body>"
        f"<h1>Self-test of Modelshelf</h1><p>{escape(head)}</p>"
        f"<p>{escape(f'{report.started:%Y-%m-%d %H:%M} UTC, {report.seconds:.1f} s')}<br>"
        f"Modelshelf {escape(report.version)}, {escape(report.machine)}</p>"
        f"{''.join(_group(name, [s for s in report.steps if s.group == name]) for name in groups)}"
        f"{_advice(report)}</body></html>\n"
    )


def _group(name: str, steps: list[Step]) -> str:
    title = "The journey of a sample model" if name == JOURNEY else f"Provider {name}"
    rows = "".join(_row(step) for step in steps)
    head = "<tr><th>Step</th><th>Result</th><th>Time</th><th>What was seen</th></tr>"
    return f"<h2>{escape(title)}</h2><table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _row(step: Step) -> str:
    sign, kind = _SIGNS.get(step.status, ("–", "off"))
    remedy = f'<span class="remedy">{escape(step.remedy)}</span>' if step.remedy else ""
    return (
        f"<tr><td>{escape(step.name)}</td><td class='s {kind}'>{sign} {escape(step.status)}</td>"
        f"<td class='s'>{step.seconds:.2f} s</td><td>{escape(step.evidence or step.error)}{remedy}</td></tr>"
    )


def _advice(report: Report) -> str:
    if not report.advice:
        return ""
    rows = "".join(
        f'<li>{escape(one.detail)} <span class="remedy">{escape(one.remedy)}</span></li>' for one in report.advice
    )
    return f"<h2>What could be better</h2><ul>{rows}</ul>"
