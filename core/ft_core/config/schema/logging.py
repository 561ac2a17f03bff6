"""Keys of what a run tells while it trains, and to whom."""

from __future__ import annotations

from typing import Annotated

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Whole


class LoggingKeys(Topic):
    """The log, and trackers outside the notebook."""

    logging_steps: Annotated[int, Whole(minimum=1)] = 1
    """Optimizer steps from one line of the log to the next. The loss curve has every step."""
