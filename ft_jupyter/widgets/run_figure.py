"""The loss curves of a run as an ordinary plotly figure."""

from __future__ import annotations

import plotly.graph_objects as go

from ft_core.runs import Run
from ft_jupyter.widgets.run_feed import RunFeed


def loss_figure(run: Run) -> go.Figure:
    """Return a figure with the training loss and, where there is one, the evaluation loss over the steps."""
    feed = RunFeed(run)
    figure = go.Figure(layout={"title": f"Run {run.name}", "xaxis_title": "step", "yaxis_title": "loss"})
    figure.add_scatter(x=feed.steps.column("step"), y=feed.steps.column("loss"), mode="lines", name="loss")
    if len(feed.evals):
        x, y = feed.evals.table()
        figure.add_scatter(x=x, y=y, mode="lines+markers", name="evaluation loss")
    return figure
