"""What every part of the config has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Topic(BaseModel):
    """Keys that belong together; frozen, and each documented by the text under it."""

    # model_type is a key of ours, so pydantic's reserve on the prefix model_ is lifted. Validators are built when first
    # used: most topics are never validated but as a part of Config.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
        defer_build=True,
    )
