"""What the keys of the model accept."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("base_model: org/model", "org/model"),
        ("revision_of_model: main", "main"),
        ("trust_remote_code: 'true'", True),
        ("overrides_of_model_config: {rope_scaling: {factor: 2}}", {"rope_scaling": {"factor": 2}}),
        ("num_labels: '1'", 1),
        ("unfrozen_parameters: [lm_head.weight]", ("lm_head.weight",)),
        ("device_map: auto", "auto"),
        ("device_map: {model: cpu}", {"model": "cpu"}),
        ("max_memory: {cpu: 64GiB, '0': 20GiB}", {"cpu": "64GiB", "0": "20GiB"}),
        ("gpu_memory_limit: 20", 20),
        ("gpu_memory_limit: 20GiB", "20GiB"),
        ("experts_implementation: grouped_mm", "grouped_mm"),
        ("resize_token_embeddings_to_32x: true", True),
        ("mean_resizing_embeddings: false", False),
    ],
)
def test_accepted(stored, line, value):
    found = stored(line)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("base_model: 7", "must be text, not 7", "put it in quotes if it is meant as text"),
        ("num_labels: 0", "must be at least 1, not 0", ""),
        ("overrides_of_model_config: x", "must be a map of 'name: value' lines, not 'x'", ""),
        ("device_map: [a]", "must be text, or a map, not a list", ""),
        (
            "gpu_memory_limit: 0",
            "must be a whole number, at least 1, or a text such as 20GiB, not 0",
            "",
        ),
        (
            "experts_implementation: gruoped_mm",
            "cannot be 'gruoped_mm'; did you mean 'grouped_mm'?",
            "use 'eager', 'batched_mm', 'grouped_mm', 'deepgemm', 'sonicmoe' or 'scattermoe'",
        ),
        ("unfrozen_parameters: lm_head", "must be a list of texts, not 'lm_head'", "write [lm_head]"),
        ("reinit_weights: 1", "must be true or false, not 1", ""),
    ],
)
def test_refused(complaint, line, message, fix):
    assert complaint(line) == (message, fix)


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("processor_type: AutoProcessor", "remove it: only text is trained on"),
        ("max_memory: {cpu: 64GiB}", "remove it: the whole model is on each device"),
        ("use_kernels: true", "remove it: results are the same; only speed differs"),
    ],
)
def test_not_supported_yet(errors, required, line, fix):
    key = line.partition(":")[0]
    assert errors(required + line) == [(4, 1, f"'{key}' is not supported yet", fix)]
