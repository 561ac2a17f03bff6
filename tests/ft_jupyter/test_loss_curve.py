"""The loss curve as an SVG: exact places, broken lines, no colour of its own."""

from __future__ import annotations

import re

import numpy as np

from ft_jupyter.widgets.loss_curve import loss_curve

NOTHING = np.empty((2, 0), dtype="f4")


def curve(*losses: float) -> np.ndarray:
    return np.array([range(1, len(losses) + 1), losses], dtype="f4")


def test_no_loss_is_no_picture() -> None:
    assert loss_curve(NOTHING, NOTHING) == ""
    assert loss_curve(curve(float("nan")), NOTHING) == ""


def test_the_ends_and_the_extremes_touch_the_frame() -> None:
    drawn = loss_curve(curve(4, 2, 3), NOTHING)
    # The frame is x 56..628 and y 12..188; the highest loss is at the top.
    assert 'points="56.0,12.0 342.0,188.0 628.0,100.0"' in drawn


def test_a_nan_breaks_the_line_and_a_lone_point_is_a_dot() -> None:
    drawn = loss_curve(curve(4, 3, float("nan"), 2), NOTHING)
    points = re.findall(r'points="([^"]+)"', drawn)
    assert [len(stretch.split()) for stretch in points] == [2, 2]
    assert points[1].split()[0] == points[1].split()[1] == "628.0,188.0"


def test_a_flat_loss_is_drawn_and_named_once() -> None:
    drawn = loss_curve(curve(2, 2), NOTHING)
    assert 'points="56.0,12.0 628.0,12.0"' in drawn
    assert drawn.count(">2</text>") == 2  # the loss, and the last step


def test_evaluations_are_rings_on_a_dashed_line_and_the_title_says_so() -> None:
    drawn = loss_curve(curve(4, 2), np.array([[2], [5]], dtype="f4"))
    assert drawn.count("<circle") == 1
    assert 'stroke-dasharray="4 3"' in drawn
    assert "<title>Loss from step 1 to 2, between 2 and 5; rings are the evaluation loss</title>" in drawn


def test_restarts_are_upright_lines_within_the_frame_and_signs_are_explained() -> None:
    drawn = loss_curve(curve(4, 3, 2), curve(3), restarts=[2, 9])
    assert drawn.count('d="M342.0 12V188"') == drawn.count('stroke-dasharray="1 3"') == 1
    assert ">— loss   ○ evaluation loss   ┊ adapter begun anew</text>" in drawn
    assert "rings are the evaluation loss; dotted lines are restarts of the adapter</title>" in drawn
    assert "— loss" not in loss_curve(curve(4, 3, 2), NOTHING)


def test_it_has_the_colours_of_the_page() -> None:
    colours = set(re.findall(r'(?:stroke|fill)="([^"]+)"', loss_curve(curve(4, 2), curve(3))))
    assert colours == {"currentColor", "none"}


def test_a_long_run_stays_small() -> None:
    rng = np.random.default_rng(0)
    long = np.array([np.arange(100_000), rng.random(100_000)], dtype="f4")
    assert len(loss_curve(long, NOTHING)) < 12_000
