"""Whatever the text, the mapping or the override: a config that loads back equal, or problems with a place; nothing else."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ft_core.config import Config, ConfigError, load_config

TEXTS = [
    """base_model: org/model
learning_rate: 2e-4
adapter: lora
lora_target_modules: [q_proj, v_proj]
datasets:
  - path: org/data
    type: chat_template
    roles: {user: [human], assistant: gpt}
    message_property_mappings:
      role: from
val_set_size: 0.05
evals_per_epoch: 2
special_tokens: {pad_token: "<pad>"}
""",
    """x: &x {type: alpaca, split: 'train[:5%]'}
base_model: ${model}
learning_rate: $rate
datasets: [{<<: *x, path: org/data}, {<<: *x, path: org/more}]
test_datasets:
- {path: org/test, type: completion, field: body}
optim_args: {a: 1, b: [2, {c: ~}]}
output_dir: |
  out
  more
chat_template_jinja: "{% for m in messages %}{{ m.content }}{% endfor %}"
""",
]
SNIPPETS = [
    *string.printable,
    *"\x00\x07\x85\u2028\ufeff\ud800é字😀",
    "\n  ",
    "\n\t",
    "\n- ",
    ": ",
    " #",
    "---\n",
    "${model}",
    "$rate",
    "*x",
    "&x ",
    "<<: ",
    "!!set ",
    "2024-13-45",
    "1e999",
    "9" * 30,
    "null",
    "[[",
    "{{ x }}",
    "seed: ",
    "sample_packing: true\n",
    "\ndatasets: ",
    "./nowhere.jsonl",
]
VARIABLES: dict[str, Any] = {"model": "org/model", "rate": 1e-4, "odd": object(), "many": [1, [2]]}


@st.composite
def mutated_texts(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 2, 5, 20])))
        text = text[:start] + draw(st.sampled_from(SNIPPETS)) + text[end:]
    return text


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)
entries = st.fixed_dictionaries(
    {},
    optional={
        "path": plain | st.just("org/data"),
        "type": plain | st.just("alpaca"),
        "roles": plain,
        "data_files": plain,
        "chat_template": plain,
        "message_property_mappings": plain,
        "message_field_role": plain,
    },
)
maps = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(Config.model_fields, plain),
        "base_model": st.just("org/model") | plain,
        "learning_rate": st.just(1e-4) | plain,
        "datasets": st.lists(entries | plain, max_size=2) | plain,
        "special_tokens": plain | st.fixed_dictionaries({"pad_token": plain}),
        "model_revision": plain,
        "flash_attention": plain,
        "sample_packing": plain,
    },
)


def check(error: ConfigError, lines: int | None) -> None:
    """Check that every problem is a sentence, and has a place where it can."""
    assert any(problem.severity == "error" for problem in error.problems)
    assert error.render()
    for problem in error.problems:
        assert problem.message
        assert "\n" not in problem.message
        if lines is None:
            assert problem.line is None
        elif problem.line is None:
            assert "is missing" in problem.message or problem.message == "the config is empty"
        else:
            assert 1 <= problem.line <= lines + 1
            assert problem.column is not None
            assert problem.column >= 1


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated_texts())
def test_any_text(text):
    try:
        config = load_config(text, variables=VARIABLES)
    except ConfigError as error:
        check(error, sum(map(text.count, "\n\r\x85\u2028\u2029")) + 1)
    else:
        assert load_config(config.to_yaml()) == config


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(maps)
def test_any_mapping(mapping):
    try:
        config = load_config(mapping)
    except ConfigError as error:
        check(error, None)
    else:
        assert load_config(config.to_yaml()) == config


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(
        [
            "seed",
            "datasets",
            "datasets[0]",
            "datasets[0].path",
            "datasets[0].x.y",
            "special_tokens.pad_token",
            "x[0]",
        ]
    )
    | st.text(max_size=6),
    plain,
)
def test_any_override(key, value):
    text = TEXTS[0]
    try:
        config = load_config(text, {key: value})
    except ConfigError as error:
        check_override(error)
    else:
        # Rows that are set as the path of a dataset have a name in its YAML.
        assert load_config(config.to_yaml(), variables={"datasets_0": value}) == config


def check_override(error: ConfigError) -> None:
    assert any(
        "--set" in problem.message or problem.line is not None or "is missing" in problem.message
        for problem in error.problems
    )
    assert error.render()
