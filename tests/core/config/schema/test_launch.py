"""Keys of how a run is started, and with what."""

from __future__ import annotations

import pytest

SAME_RESULT = "remove it: no plugin is loaded; the results differ only in speed and memory"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("strict: true", True),
        (
            "plugins: [axolotl.integrations.liger.LigerPlugin]",
            ("axolotl.integrations.liger.LigerPlugin",),
        ),
        ("liger_rope: true", True),
        ("liger_rms_norm: true", True),
        ("liger_rms_norm_gated: true", True),
        ("liger_layer_norm: true", True),
        ("liger_glu_activation: true", True),
        ("liger_cross_entropy: true", True),
        ("liger_fused_linear_cross_entropy: true", True),
        ("cut_cross_entropy: true", True),
        ("use_scattermoe: true", True),
        ("use_sonicmoe: true", True),
        ("autotune_cache_path: ./a.json", "./a.json"),
        ("autotune_profiles: [{kernel: a}]", ({"kernel": "a"},)),
        ("autotune_neighborhood: 1", 1),
        ("dsv4_fp4_grouped_mode: nvfp4", "nvfp4"),
    ],
)
def test_accepted(stored, line, value):
    found = stored(line)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("strict: very", "must be true or false, not 'very'", ""),
        ("plugins: a.b.C", "must be a list of texts, not 'a.b.C'", "write [a.b.C]"),
        ("plugins: [3]", "must hold text only, not 3", "put it in quotes"),
        ("liger_rope: 1", "must be true or false, not 1", ""),
        ("autotune_profiles: [a]", "must hold maps only, not 'a'", ""),
        ("autotune_neighborhood: 0", "must be at least 1, not 0", ""),
    ],
)
def test_refused_values(complaint, line, message, fix):
    assert complaint(line) == (message, fix)


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        (
            "liger_rms_norm_gated: true",
            "remove it: Liger has no such kernel, and the results are the same",
        ),
        ("use_scattermoe: true", SAME_RESULT),
        ("use_sonicmoe: true", SAME_RESULT),
        ("autotune_cache_path: ./a.json", SAME_RESULT),
        ("autotune_profiles: [{kernel: a}]", SAME_RESULT),
        ("autotune_neighborhood: 1", SAME_RESULT),
        ("dsv4_fp4_grouped_mode: nvfp4", "remove it: weights are computed in 16 or 32 bit"),
    ],
)
def test_not_done_yet(errors, required, line, fix):
    key = line.partition(":")[0]
    assert errors(required + line) == [(4, 1, f"'{key}' is not supported yet", fix)]


@pytest.mark.parametrize(
    "line",
    [
        "strict: true",
        "strict:",
        "plugins: []",
        "plugins:",
        "liger_rope: false",
        "cut_cross_entropy: false",
        "autotune_profiles: []",
    ],
)
def test_asks_for_nothing(warnings, required, line):
    assert warnings(required + line) == []
