"""Keys of checkpoints and of the tuned model."""

from __future__ import annotations

import pytest

QUOTE = "put it in quotes if it is meant as text"
UPLOAD = "remove it, and upload the run's folder 'final' when it is done"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("output_dir: ./tuned", "./tuned"),
        ("save_strategy: no", "no"),
        ("save_strategy: steps", "steps"),
        ("save_steps: 100.0", 100),
        ("save_steps: 0.25", 0.25),
        ("saves_per_epoch: 0", 0),
        ("save_total_limit: 3", 3),
        ("save_first_step: true", True),
        ("save_only_model: 'false'", False),
        ("load_best_model_at_end: true", True),
        ("dynamic_checkpoint: {enabled: false}", {"enabled": False}),
        ("resume_from_checkpoint: ./out/checkpoint-100", "./out/checkpoint-100"),
        ("auto_resume_from_checkpoints: true", True),
        ("hub_model_id: a/b", "a/b"),
        ("hub_strategy: end", "end"),
        ("hub_revision: main", "main"),
    ],
)
def test_accepted(stored, line, value):
    found = stored(line)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("output_dir: 5", "must be text, not 5", QUOTE),
        ("save_strategy: best", "cannot be 'best': it is not supported yet", "use 'epoch', 'steps' or 'no'"),
        ("save_strategy: step", "cannot be 'step'; did you mean 'steps'?", "use 'epoch', 'steps' or 'no'"),
        ("save_steps: 1.5", "must be a whole number of steps or a share below 1, not 1.5", ""),
        ("save_total_limit: 0", "must be at least 1, not 0", ""),
        ("dynamic_checkpoint: true", "must be a map of 'name: value' lines, not true", ""),
        ("resume_from_checkpoint: true", "must be text, not true", QUOTE),
        ("load_best_model_at_end: yes please", "must be true or false, not 'yes please'", ""),
        (
            "hub_strategy: always",
            "cannot be 'always'",
            "use 'end', 'every_save', 'checkpoint' or 'all_checkpoints'",
        ),
    ],
)
def test_refused_values(complaint, line, message, fix):
    assert complaint(line) == (message, fix)


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("hub_model_id: a/b", UPLOAD),
        ("hub_strategy: end", UPLOAD),
        ("hub_revision: main", UPLOAD),
    ],
)
def test_not_done_yet(errors, required, line, fix):
    key = line.partition(":")[0]
    assert errors(required + line) == [(4, 1, f"'{key}' is not supported yet", fix)]


@pytest.mark.parametrize(
    "line",
    [
        "resume_from_checkpoint:",
        "auto_resume_from_checkpoints: false",
        "hub_model_id: ''",
        "load_best_model_at_end: false",
        "save_only_model: false",
        "dynamic_checkpoint: {}",
    ],
)
def test_asks_for_nothing(warnings, required, line):
    assert warnings(required + line) == []
