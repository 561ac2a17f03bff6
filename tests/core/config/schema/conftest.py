"""What one key's own type makes of a value, whether training does the key already or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from ft_core.config import Config
from ft_core.config.config import INNER
from ft_core.config.document import read_document

REQUIRED: dict[str, dict[str, Any]] = {
    "top": {
        "base_model": "org/model",
        "learning_rate": 2e-4,
        "datasets": [{"path": "org/data", "type": "chat_template"}],
    },
    "datasets": {"path": "org/data", "type": "chat_template"},
}
"""Values that a valid config and a valid dataset need."""


def validated(line: str, holder: str) -> Any:
    """Return what is kept of the one key that a line of YAML sets in `holder`."""
    ((key, value),) = read_document(line).data.items()
    topic = Config if holder == "top" else INNER[holder]
    return getattr(topic.model_validate({**REQUIRED.get(holder, {}), key: value}), key)


@pytest.fixture
def stored() -> Callable[..., Any]:
    """Return what a config, or a map in it, keeps of the one key that a line of YAML sets."""
    return lambda line, holder="top": validated(line, holder)


@pytest.fixture
def complaint() -> Callable[..., tuple[str, str]]:
    """Return what the type of the one key that a line of YAML sets has against its value, and the fix."""

    def complain(line: str, holder: str = "top") -> tuple[str, str]:
        with pytest.raises(ValidationError) as caught:
            validated(line, holder)
        (details,) = caught.value.errors(include_url=False)
        return details["ctx"]["message"], details["ctx"]["fix"]

    return complain
