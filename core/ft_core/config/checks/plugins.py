"""Checks of plugins, and of the loss that their keys ask for."""

from __future__ import annotations

from ft_core.config.checks.asked import Asked

ACCEPTED = (
    "axolotl.integrations.liger.LigerPlugin",
    "axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin",
)
"""Plugins whose keys work without them."""

LOSSES = ("liger_cross_entropy", "liger_fused_linear_cross_entropy", "cut_cross_entropy")


def check_plugins(asked: Asked) -> None:
    """Report plugins that are not there, and warn of a loss that a method replaces."""
    for index, plugin in enumerate(asked.config.plugins or ()):
        if plugin not in ACCEPTED:
            message = f"the plugin '{plugin}' is not supported yet"
            fix = "remove it; kernel plugins change speed and memory alone"
            asked.draft.report(("plugins", index), message, fix)
    method = next((key for key in ("rl", "reward_model") if asked.value(key)), None)
    for key in LOSSES:
        if method and asked.value(key):
            message = f"'{key}' has no effect: '{method}' has a loss of its own"
            asked.draft.warn((key,), message, "remove the line", at="key")
