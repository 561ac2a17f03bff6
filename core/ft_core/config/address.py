"""What is an address and what is YAML."""

from __future__ import annotations

import re

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Whether `text` is an address such as ``https://host/config.yml``: one line, no space, a scheme before ``://``.

    As YAML it would be a mere text, which is no config; ``key: https://...`` and everything longer is YAML.

    >>> is_address("https://host/a.yml"), is_address("base_model: https://host/a"), is_address("a.yml")
    (True, False, False)
    """
    return ADDRESS.fullmatch(text.strip()) is not None
