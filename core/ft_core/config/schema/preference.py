"""Keys of methods that learn from preferences and rewards."""

from __future__ import annotations

from ft_core.config.schema.topic import Topic


class PreferenceKeys(Topic):
    """Learning from preferences and rewards."""
