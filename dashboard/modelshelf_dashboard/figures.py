"""Figures as people read them: files in GB (10^9), memory in GiB, counts in k and M, times as people say them."""

from datetime import UTC, date, datetime

from modelshelf_dashboard.texts import _, _n

KB, MB, GB = 10**3, 10**6, 10**9
MIB, GIB = 2**20, 2**30
NONE = "—"


def size(count: int | None) -> str:
    """Bytes of a file or a disk."""
    if count is None:
        return NONE
    if count >= 0.1 * GB:
        return f"{count / GB:,.1f} GB"
    return f"{count / MB:.1f} MB" if count >= 0.1 * MB else f"{count / KB:.1f} kB"


def memory(count: int | None) -> str:
    """Bytes of memory."""
    if count is None:
        return NONE
    return f"{count / GIB:,.1f} GiB" if count >= 0.1 * GIB else f"{count / MIB:.1f} MiB"


def number(count: int | None) -> str:
    """How often: 950, 1.2 k, 980 k, 2.1 M."""
    if count is None:
        return NONE
    for unit, factor in (("M", MB), ("k", KB)):
        if count >= factor:
            value = count / factor
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"
    return str(count)


def parameters(count: int | None) -> str:
    """A model's parameters: 8.2 B, 350 M, 12 k; empty when unknown."""
    if not count:
        return ""
    for unit, factor in (("B", GB), ("M", MB), ("k", KB)):
        if count >= factor:
            value = count / factor
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"
    return str(count)


def tokens(count: int | None) -> str:
    """A context length: 512, 4 k, 128 k."""
    if count is None:
        return NONE
    return f"{count / 1024:.0f} k" if count >= 1024 else str(count)


def dollars(amount: float | None) -> str:
    """US dollars, as precise as small prices need."""
    if amount is None:
        return NONE
    return f"{amount:,.2f}" if amount >= 0.1 or amount == 0 else f"{amount:.3g}"


def response(milliseconds: float | None) -> str:
    """How long an answer took."""
    if milliseconds is None:
        return NONE
    return f"{milliseconds:.0f} ms" if milliseconds >= 1 else "< 1 ms"


def span(seconds: float) -> str:
    """How long something took, as people say it."""
    if seconds < 90:
        return _("{n} s", n=max(1, round(seconds)))
    if seconds < 5400:
        return _("{n} min", n=round(seconds / 60))
    return _("{n} h", n=f"{seconds / 3600:.1f}")


def rate(count: float) -> str:
    """Bytes per second."""
    return _("{n} MB/s", n=f"{count / MB:.1f}")


def isolated(text: str) -> str:
    """A text that is written from right to left, or may be, so that it leaves what stands beside it where it is."""
    return text if text.isascii() else f"\u2068{text}\u2069"


def ago(then: datetime | None) -> str:
    """How long since, as people say it."""
    if then is None:
        return ""
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    seconds = max(0, int((datetime.now(UTC) - then).total_seconds()))
    if seconds < 60:
        return _("just now")
    if seconds < 3600:
        return _n("{n} minute ago", "{n} minutes ago", seconds // 60)
    if seconds < 86_400:
        return _n("{n} hour ago", "{n} hours ago", seconds // 3600)
    days = seconds // 86_400
    if days < 60:
        return _n("{n} day ago", "{n} days ago", days)
    return (
        _n("{n} month ago", "{n} months ago", days // 30)
        if days < 730
        else _n("{n} year ago", "{n} years ago", days // 365)
    )


def iso(then: date | None) -> str:
    """A moment for the browser, which shows it in its own time zone; empty when unknown."""
    if then is None:
        return ""
    if isinstance(then, datetime) and then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return then.isoformat()
