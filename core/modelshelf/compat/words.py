"""Sizes, speeds and settings as people say them."""

from modelshelf.compat.types import Settings

MIB, GIB = 1 << 20, 1 << 30
MOST = 400.0


def size(count: int) -> str:
    """Bytes of memory as people read them."""
    return f"{count / GIB:.1f} GiB" if abs(count) >= GIB else f"{count / MIB:.0f} MiB"


def pace(speed: tuple[float, float]) -> str:
    """A range of speed as people say it."""
    if speed[0] >= MOST:
        return f"more than {MOST:.0f} tokens a second"
    low, high = (f"{value:.0f}" if value >= 3 else f"{value:.1f}" for value in speed)
    return f"about {low} tokens a second" if low == high else f"about {low}–{high} tokens a second"


def listed(items: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(", ".join(items).rsplit(", ", 1))


def changes(before: Settings, after: Settings) -> str:
    """What differs, in words: `2,048 tokens of context and a q8_0 cache`."""
    parts = []
    if after.context != before.context:
        parts.append(f"{after.context:,} tokens of context")
    if after.kv != before.kv:
        parts.append(f"a {after.kv} cache")
    if after.slots != before.slots:
        parts.append("one conversation at a time" if after.slots == 1 else f"{after.slots} conversations")
    if after.gpu_layers != before.gpu_layers:
        told = "as many layers on the graphics card as fit"
        parts.append(told if after.gpu_layers is None else f"{after.gpu_layers} layers on the graphics card")
    if after.flash_attention and not before.flash_attention:
        parts.append("flash attention")
    return listed(parts) or "the same settings"
