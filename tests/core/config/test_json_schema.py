"""The JSON Schema for editors: equal to the texts, right about right and wrong configs."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ft_core.config import explain_all, load_config
from ft_core.config.config import INNER
from ft_core.config.json_schema import json_schema, render

ROOT = Path(__file__).parents[3]
FILE = ROOT / "docs" / "reference" / "config.schema.json"


class EditorLoader(yaml.SafeLoader):
    """YAML 1.2 as editors read it: ``2e-4`` is a number, ``no`` is text."""


EditorLoader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if "bool" not in tag and "float" not in tag]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
EditorLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), list("tf"))
EditorLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.\d+|\d+\.?\d*)([eE][-+]?\d+)?$"),
    list("-+.0123456789"),
)


def read(text: str) -> Any:
    return yaml.load(text, Loader=EditorLoader)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def configs() -> dict[str, str]:
    """Return every whole config that the documentation and the notebooks show."""
    found: dict[str, str] = {}
    for notebook in sorted((ROOT / "example_notebooks").glob("*.ipynb")):
        for index, cell in enumerate(json.loads(notebook.read_text(encoding="utf-8"))["cells"]):
            first, _, body = "".join(cell["source"]).partition("\n")
            if first.startswith("%%finetune"):
                found[f"{notebook.name}[{index}]"] = body
    for page in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]):
        for index, block in enumerate(
            re.findall(r"^```(?:yaml|python|)?\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
        ):
            body = re.split(r"^%%finetune.*\n", block, flags=re.M)[-1]
            if re.search(r"^base_model:", body, re.M) and re.search(r"^datasets:", body, re.M):
                found[f"{page.name}[{index}]"] = body
    return found


def test_the_file_is_what_the_keys_say() -> None:
    assert FILE.read_text(encoding="utf-8") == render(), (
        "python -m ft_core.config.json_schema > docs/reference/config.schema.json"
    )


@pytest.mark.parametrize("name", configs())
def test_the_configs_of_the_documentation_are_valid(
    validator: jsonschema.Draft202012Validator, name: str
) -> None:
    assert [error.message for error in validator.iter_errors(read(configs()[name]))] == []


def test_there_are_configs_to_validate() -> None:
    assert {name.partition("[")[0] for name in configs()} >= {"01_quickstart.ipynb", "README.md"}


def test_a_resolved_config_is_valid(validator: jsonschema.Draft202012Validator, required: str) -> None:
    assert [error.message for error in validator.iter_errors(read(load_config(required).to_yaml()))] == []


@pytest.mark.parametrize(
    "line",
    [
        "sequense_len: 512",
        "lora_r: many",
        "lora_r: 0",
        "lora_r: 1.5",
        "lora_dropout: 1",
        "adapter: lorra",
        "train_on_inputs: 3",
        "save_strategy: never",
        "special_tokens: {pad: x}",
        "special_tokens: {pad_token: 3}",
        "eot_tokens: x",
        "lora_target_modules: all",
        "test_datasets: [{path: x, type: alpaca, fields: a}]",
        "test_datasets: [{path: x, type: sharegpt}]",
        "test_datasets: [{type: alpaca}]",
        "save_steps: 0",
        "save_steps: 1.5",
        "model_revision: 3",
        "flash_attention: 3",
    ],
)
def test_a_wrong_line_is_not_valid(
    validator: jsonschema.Draft202012Validator, required: str, line: str
) -> None:
    assert not validator.is_valid(read(f"{required}{line}\n"))


@pytest.mark.parametrize(
    "line",
    [
        "sequence_len: 512",
        "lora_r:",
        "lora_dropout: 0",
        "adapter: lora",
        "bf16: auto",
        "bf16: true",
        "save_strategy: no",
        "save_steps: 0.1",
        "save_steps: 10",
        "special_tokens: {pad_token: <pad>, eos_token: null}",
        "special_tokens:",
        "eot_tokens: [a, b]",
        "lora_target_modules: all-linear",
        "lora_target_modules: [q_proj]",
        "test_datasets: [{path: x, type: alpaca, roles: {user: human, assistant: [gpt, bot]}}]",
        "optim_args: {foreach: false}",
        "model_revision: main",
        "flash_attention: true",
        "fsdp: [full_shard]",
        "is_llama_derived_model: true",
    ],
)
def test_a_right_line_is_valid(validator: jsonschema.Draft202012Validator, required: str, line: str) -> None:
    assert [error.message for error in validator.iter_errors(read(f"{required}{line}\n"))] == []


@pytest.mark.parametrize("key", ["base_model", "datasets", "learning_rate"])
def test_what_is_required_may_not_be_missing_or_empty(
    validator: jsonschema.Draft202012Validator, required: str, key: str
) -> None:
    without = read(required)
    empty = copy.deepcopy(without) | {key: None}
    del without[key]
    assert not validator.is_valid(without)
    assert not validator.is_valid(empty)


def test_each_key_says_what_it_means_and_its_default_and_example_are_valid() -> None:
    schema = json_schema()
    for doc in explain_all():
        if doc.holder:
            part = schema["$defs"][INNER[doc.holder].__name__]["properties"][doc.name]
        else:
            part = schema["properties"][doc.key]
        assert part["description"].endswith(doc.text), doc.key
        assert part["description"].startswith("Not supported yet: ") == (doc.instead is not None), doc.key
        check = jsonschema.Draft202012Validator(part | {"$defs": schema["$defs"]})
        for value in (*part.get("examples", ()), *([part["default"]] if "default" in part else [])):
            assert [error.message for error in check.iter_errors(value)] == [], doc.key


def test_older_forms_are_marked() -> None:
    properties = json_schema()["properties"]
    assert properties["evaluation_strategy"]["deprecated"] is True
    assert properties["evaluation_strategy"]["$ref"] == "#/properties/eval_strategy"
    assert "deprecated" not in properties["eval_strategy"]
