"""Keys of how a model and its batches are spread over several devices."""

from __future__ import annotations

from ft_core.config.schema.topic import Topic


class DistributedKeys(Topic):
    """Several devices."""
