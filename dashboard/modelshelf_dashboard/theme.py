"""One place for colour, type and corners: it feeds panel-material-ui, our own components and Bokeh alike."""

from typing import Any

# name: (light, dark)
TOKENS: dict[str, tuple[str, str]] = {
    "ground": ("#f6f5f1", "#14181c"),
    "card": ("#ffffff", "#1c2227"),
    "line": ("#e3e0d8", "#2d353c"),
    "text": ("#1d232a", "#e8eaec"),
    "muted": ("#5f6971", "#98a2ab"),
    "accent": ("#1f6f64", "#5cc0b0"),
    "accent-ground": ("#e3f0ed", "#183630"),
    "on-accent": ("#ffffff", "#10201d"),
    "warn": ("#8a5c00", "#e3b341"),
    "warn-ground": ("#fbf1d9", "#3a2f14"),
    "bad": ("#a8322a", "#f08a80"),
    "bad-ground": ("#f9e4e1", "#402220"),
    # score bars, from well to poor: their lightness differs too
    "s4": ("#1f6f64", "#5cc0b0"),
    "s3": ("#7fae6b", "#93c47d"),
    "s2": ("#d8a93a", "#e0b84f"),
    "s1": ("#c4622d", "#e08a5a"),
    # score figures: darker than the bars where a contrast of 4.5 needs it
    "f4": ("#1f6f64", "#5cc0b0"),
    "f3": ("#47752f", "#93c47d"),
    "f2": ("#7d5900", "#e0b84f"),
    "f1": ("#a84c1c", "#e08a5a"),
    "track": ("#e0dfd6", "#2d353c"),
    "control": ("#7c858c", "#6b757e"),
    "shadow": ("rgb(29 35 42/.09)", "rgb(0 0 0/.35)"),
}
FONT = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif'
BAR = 52  # height of the header in px
MOTION = 100  # ms: nothing moves longer


def _names() -> str:
    return "".join(f"--ms-{name}:light-dark({light},{dark});" for name, (light, dark) in TOKENS.items())


def page_css() -> str:
    """For the page: the tokens on the root cross into every shadow root, so that one attribute turns them all."""
    return f"""
:root{{color-scheme:light;{_names()}--ms-font:{FONT};--ms-bar:{BAR}px}}
:root[data-ms=dark]{{color-scheme:dark}}
html,body{{background:var(--ms-ground);color:var(--ms-text);font:14px/1.45 var(--ms-font)}}
@media (prefers-reduced-motion:reduce){{*{{transition:none!important;animation:none!important}}}}
"""


def host_css() -> str:
    """For a component on its own: in a notebook no page carries the tokens."""
    return f":host{{{_names()}--ms-font:{FONT};--ms-bar:{BAR}px}}"


def material() -> dict[str, Any]:
    """The themes of panel-material-ui."""
    return {"light": _material(0), "dark": _material(1)}


def _material(which: int) -> dict[str, Any]:
    colour = {name: values[which] for name, values in TOKENS.items()}
    motions = ("shortest", "shorter", "short", "standard", "complex", "enteringScreen", "leavingScreen")
    return {
        "palette": {
            "primary": {"main": colour["accent"], "contrastText": colour["on-accent"]},
            "error": {"main": colour["bad"]},
            "warning": {"main": colour["warn"]},
            "success": {"main": colour["accent"]},
            "background": {"default": colour["ground"], "paper": colour["card"]},
            "text": {"primary": colour["text"], "secondary": colour["muted"]},
            "divider": colour["line"],
        },
        "typography": {
            "fontFamily": FONT,
            "fontSize": 14,
            "button": {"textTransform": "none", "fontWeight": 500},
        },
        "shape": {"borderRadius": 8},
        "transitions": {"duration": dict.fromkeys(motions, MOTION)},
        "components": {
            "MuiAppBar": {
                "styleOverrides": {
                    "root": {
                        "backgroundColor": f"{colour['card']} !important",
                        "color": f"{colour['text']} !important",
                        "backgroundImage": "none",
                        "boxShadow": "none",
                        "height": f"{BAR}px",
                        "borderBottom": f"1px solid {colour['line']}",
                        "margin": 0,
                    }
                }
            },
            "MuiToolbar": {
                "styleOverrides": {
                    "root": {
                        "minHeight": f"{BAR - 1}px !important",
                        "height": f"{BAR - 1}px",
                        "padding": "0 !important",
                        "margin": "0 !important",
                    }
                }
            },
            "MuiButtonBase": {"defaultProps": {"disableRipple": True}},
        },
    }
