"""The loss of a run as an SVG that needs no script: it survives a closed kernel, nbconvert and a saved notebook."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ft_jupyter.markup import number, text
from ft_jupyter.widgets.series import thin

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 32
POINTS = 600
"""More points than this cannot be told apart at this width."""


def loss_curve(
    train: NDArray[np.float32], evaluation: NDArray[np.float32], restarts: Sequence[int] = ()
) -> str:
    """Return the SVG of a run's loss over its steps, or an empty string where no loss is known yet.

    Parameters
    ----------
    train
        Shape [2, steps]: step and training loss. Drawn as a line, broken where the loss is NaN.
    evaluation
        Shape [2, evaluations]: step and evaluation loss. Drawn as rings on a dashed line.
    restarts
        Steps after which the adapter was begun anew. Drawn as upright dotted lines.
    """
    known = [table[:, ~np.isnan(table[1])] for table in (train, evaluation)]
    both = np.concatenate(known, axis=1)
    if both.shape[1] == 0:
        return ""
    (first, low), (last, high) = both.min(axis=1).tolist(), both.max(axis=1).tolist()
    span_x, span_y = (last - first) or 1.0, (high - low) or 1.0

    def place(step: float, loss: float) -> tuple[float, float]:
        x = LEFT + (step - first) / span_x * (WIDTH - LEFT - RIGHT)
        y = TOP + (high - loss) / span_y * (HEIGHT - TOP - BOTTOM)
        return round(x, 1), round(y, 1)

    shown = [step for step in restarts if first <= step <= last]
    drawn = "".join(_upright(place(step, low)[0]) for step in shown)
    drawn += _line(train, place, "") + _line(evaluation, place, ' stroke-dasharray="4 3"')
    for step, loss in thin(known[1], POINTS).T.tolist():
        x, y = place(step, loss)
        drawn += f'<circle cx="{x}" cy="{y}" r="3.5" fill="none" stroke="currentColor"/>'
    name = f"Loss from step {number(first)} to {number(last)}, between {number(low)} and {number(high)}"
    signs = [("—", "loss")]
    if known[1].size:
        name += "; rings are the evaluation loss"
        signs.append(("○", "evaluation loss"))
    if shown:
        name += "; dotted lines are restarts of the adapter"
        signs.append(("┊", "adapter begun anew"))
    if len(signs) > 1:
        drawn += _legend(signs)
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" style="max-width:100%;height:auto" '
        f'font-size="11" fill="currentColor" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{text(name)}</title>{_axes(first, last, low, high)}{drawn}</svg>"
    )


def _line(
    table: NDArray[np.float32], place: Callable[[float, float], tuple[float, float]], dashes: str
) -> str:
    """Return the polylines of `table`, one for each stretch without a NaN."""
    stretches: list[list[str]] = [[]]
    for step, loss in thin(table, POINTS).T.tolist():
        if loss != loss:
            stretches.append([])
            continue
        x, y = place(step, loss)
        stretches[-1].append(f"{x},{y}")
    style = f'fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round"{dashes}'
    # A stretch of one point is drawn as a dot: a line from the point to itself, with round ends.
    return "".join(
        f'<polyline points="{" ".join(points if len(points) > 1 else points * 2)}" {style}/>'
        for points in stretches
        if points
    )


def _upright(x: float) -> str:
    """Return a dotted line from the bottom of the frame to its top."""
    return (
        f'<path d="M{x} {TOP}V{HEIGHT - BOTTOM}" fill="none" stroke="currentColor" '
        f'stroke-opacity=".6" stroke-dasharray="1 3"/>'
    )


def _legend(signs: Sequence[tuple[str, str]]) -> str:
    """Return what each sign stands for, below the middle of the frame."""
    words = "   ".join(f"{sign} {name}" for sign, name in signs)
    middle = (LEFT + WIDTH - RIGHT) // 2
    return f'<text x="{middle}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle" xml:space="preserve">{text(words)}</text>'


def _axes(first: float, last: float, low: float, high: float) -> str:
    """Return both axes with the ends of their ranges."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    labels = [
        (LEFT - 6, TOP + 4, "end", number(high)),
        (LEFT, bottom + 16, "start", f"step {number(first)}"),
        (right, bottom + 16, "end", number(last)),
    ]
    if high > low:
        labels.append((LEFT - 6, bottom, "end", number(low)))
    words = "".join(
        f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text(label)}</text>' for x, y, anchor, label in labels
    )
    path = f"M{LEFT} {TOP}V{bottom}H{right}"
    return f'<path d="{path}" fill="none" stroke="currentColor" stroke-opacity=".3"/>{words}'
