"""Keys of how a run is started."""

from __future__ import annotations

from typing import Annotated

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Flag


class LaunchKeys(Topic):
    """How a run is started, and with what besides the engine."""

    strict: Annotated[bool, Flag()] = False
    """Accepted, without effect: an unknown key is always an error."""
