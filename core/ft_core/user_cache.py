"""Where we keep what can be made again: converted models, tokenized data."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Return our folder in the user's cache, or ``$FT_CACHE``."""
    if configured := os.environ.get("FT_CACHE"):
        return Path(configured).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ft_jupyter"
