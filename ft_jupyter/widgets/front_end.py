"""Where the built front ends of the widgets are."""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).parents[1] / "static"

_NOT_BUILT = """
function render({ el }) {
  el.textContent = "The front end is not built: run 'make build' in the source checkout.";
}
export default { render };
"""


def module(name: str) -> Path | str:
    """Return the built file `name`, or a module that says how to build it in a source checkout without one."""
    built = STATIC / name
    return built if built.is_file() else _NOT_BUILT


def style(name: str) -> Path | str:
    """Return the built style sheet `name`, or an empty one in a source checkout without one."""
    built = STATIC / name
    return built if built.is_file() else ""


def plotly() -> bytes:
    """Return plotly.js (the basic bundle) as the gzip file that the page inflates; empty where it is not built."""
    built = STATIC / "plotly-basic.min.js.gz"
    return built.read_bytes() if built.is_file() else b""
