"""Keys, tokens and passwords kept out of what a run tells."""

from __future__ import annotations

import os
import re

HIDDEN = "***"

_SECRET_NAME = re.compile(r"(KEY|TOKEN|PASSWORD|SECRET)$")
_USER_INFO = re.compile(r"(?<=://)[^\s/@]+@")
_IN_QUERY = re.compile(r"([?&]\w*(?:key|token|password|secret)=)[^&\s]+", re.IGNORECASE)
_SHORTEST = 6  # a shorter value would be found in words that hold no secret


def without_secrets(text: str) -> str:
    """Return `text` without the secrets of the environment, and without names, passwords and tokens in addresses.

    >>> without_secrets("cannot reach https://me:pass@host/api?write_token=abc&run=1")
    'cannot reach https://host/api?write_token=***&run=1'
    """
    text = _IN_QUERY.sub(rf"\1{HIDDEN}", _USER_INFO.sub("", text))
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST:
            text = text.replace(value, HIDDEN)
    return text
