"""The reference page of the checks is made of the rows of these tables: ``python tests/core/config/checks/test_page.py``."""

from __future__ import annotations

import runpy
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[3] / "docs" / "reference" / "config-checks.md"

TABLES = {"ERRORS": "error", "WARNINGS": "warning", "LATER": "warning", "UNSUPPORTED": "error"}
"""What a table of a test is called, and what its rows are."""

TITLES = {
    "data": "Data as a whole",
    "dataset": "One dataset",
    "template": "Chat template",
    "loss": "Loss",
    "model": "Model and tokenizer",
    "quantization": "Number formats and quantization",
    "saving": "Checkpoints",
}

HEAD = """\
# Checks between keys

Each key's own value is checked by its type ([config keys](config.md)). These are the checks of keys against each other: all of
them are made at once when a config is loaded, with the line of each. An *error* stops; a *warning* is shown and does not.
What Axolotl accepts, or only warns of, is a warning at most, so that its configs load. A key or value that is not
supported yet is refused by name, and checked against the others as well; a warning about one is shown once it is supported.

Every row is run as a test, with exactly this message; the lines stand in a config that is valid without them, and the
neighbour beside them is accepted (or refused only by the name of what is not supported yet).
"""

FOOT = """\
## What is not checked

| in Axolotl an error | here |
|---|---|
| `push_dataset_to_hub` without `hf_use_auth_token: true` | the hub's login, or `HF_TOKEN`, is used wherever the hub asks for it |
| `rl: kto` without `remove_unused_columns: false`, `rl: simpo` with `warmup_ratio` | neither is needed |
| `gradient_checkpointing` with a model called mpt, `fsdp_config` with one called falcon | a name says nothing about the model: Transformers supports both |
| `gptq` with `revision_of_model` | the revision is loaded as of any model |
| `gradient_accumulation_steps` beside `batch_size` | accepted where both agree |
| `early_stopping_patience` with `evals_per_epoch` and `saves_per_epoch` | accepted where the one is a multiple of the other |
| `adapter: lora` without `lora_r` | it has a default |

What only data, model or machine can tell is checked later, and told with the same lines: files and folders that are
missing ([config keys](config.md)), rows and columns, samples of which nothing is trained, a chat template that never writes the
token that ends a turn, an evaluation split that takes every sample, rows longer than the model's positions, target modules
that match no layer, and bfloat16 on a device without it.
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for file in sorted(HERE.glob("test_*.py")):
        tables = runpy.run_path(str(file)) if file != Path(__file__) else {}
        rows = [
            f"| {_code(lines)} | {kind} | {_cell(message)} | {_cell(fix)} | {_code(neighbour)} |"
            for name, kind in TABLES.items()
            for lines, _, _, message, fix, neighbour in tables.get(name, ())
        ]
        if rows:
            topic = file.stem.removeprefix("test_")
            parts.append(f"## {TITLES.get(topic, topic.capitalize())}\n")
            parts.append("| lines | is | message | fix | neighbour |\n|---|---|---|---|---|")
            parts.append("\n".join(rows) + "\n")
    return "\n".join([*parts, FOOT])


def _code(lines: str) -> str:
    return "<br>".join(f"`{_cell(line)}`" for line in lines.splitlines()) or "nothing"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def test_the_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "python tests/core/config/checks/test_page.py > docs/reference/config-checks.md"
    )


if __name__ == "__main__":
    print(page(), end="")
