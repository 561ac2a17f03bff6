"""The loss that plugins and their keys ask for."""

from __future__ import annotations

import pytest

LIGER = "plugins: [axolotl.integrations.liger.LigerPlugin]"

WARNINGS = [
    (
        "rl: dpo\nliger_fused_linear_cross_entropy: true",
        5,
        1,
        "'liger_fused_linear_cross_entropy' has no effect: 'rl' has a loss of its own",
        "remove the line",
        f"{LIGER}\nliger_fused_linear_cross_entropy: true\nliger_rope: true\nliger_rms_norm: true",
    ),
    (
        "datasets: [{path: a/b, type: bradley_terry.chat_template}]\nreward_model: true\ncut_cross_entropy: true",
        5,
        1,
        "'cut_cross_entropy' has no effect: 'reward_model' has a loss of its own",
        "remove the line",
        "liger_cross_entropy: true",
    ),
]


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), WARNINGS)
def test_what_is_doubtful(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("warning", line, column, message, fix)]
    assert found(neighbour) == []


def test_a_plugin_is_refused_by_its_place(errors, required):
    fix = "remove it; kernel plugins change speed and memory alone"
    spectrum = "axolotl.integrations.spectrum.SpectrumPlugin"
    message = f"the plugin '{spectrum}' is not supported yet"
    assert errors(f"{required}{LIGER[:-1]}, {spectrum}]") == [(4, 51, message, fix)]


@pytest.mark.parametrize(
    "lines",
    [
        LIGER,
        "plugins:\n- axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin\ncut_cross_entropy: true",
    ],
)
def test_plugins_whose_keys_work_without_them_pass(warnings, required, lines):
    assert warnings(required + lines) == []
