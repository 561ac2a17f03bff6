"""What one key's own type makes of a value, whether training does the key already or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from ft_core.config import Config

REQUIRED = {
    "base_model": "org/model",
    "learning_rate": 2e-4,
    "datasets": [{"path": "org/data", "type": "chat_template"}],
}


@pytest.fixture
def stored() -> Callable[[str], Any]:
    """Return what a config keeps of the one key that a line of YAML sets."""

    def keep(line: str) -> Any:
        ((key, value),) = yaml.safe_load(line).items()
        return getattr(Config.model_validate({**REQUIRED, key: value}), key)

    return keep


@pytest.fixture
def complaint() -> Callable[[str], tuple[str, str]]:
    """Return what the type of the one key that a line of YAML sets has against its value, and the fix."""

    def complain(line: str) -> tuple[str, str]:
        ((key, value),) = yaml.safe_load(line).items()
        with pytest.raises(ValidationError) as caught:
            Config.model_validate({**REQUIRED, key: value})
        (details,) = caught.value.errors()
        return details["ctx"]["message"], details["ctx"]["fix"]

    return complain
