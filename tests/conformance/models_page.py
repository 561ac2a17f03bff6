"""The page of models: ``python -m tests.conformance.models_page > docs/reference/models.md``.

It is written from the cells of `tests.conformance.matrix` and from the records of the tests that take a GPU, or an environment of
their own; `tests.conformance.test_families` holds the page to it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ft_core.models.outline import read_past
from ft_core.models.skeleton import outline_of
from ft_core.models.targets import ALL_LINEAR, adapted
from tests.conformance.families import FAMILIES
from tests.conformance.matrix import WAYS, Cell, cells

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "models.md"
GPU = ROOT / "tests" / "gpu" / "families.json"
GPTQ = ROOT / "tests" / "gptq" / "families.json"

HEAD = """\
# Models

Written by `python -m tests.conformance.models_page` from what the product itself says and from what was run; a test keeps it equal.
Models of other architectures that Transformers has are trained the same way. Nobody has looked at them: a packed run asks the
model itself before its first step whether documents stay apart, and the plan says what an adapter goes on.

* **CPU**: a tiny random model of the family was trained so by `tests/conformance/test_families.py`, in every test run, from its
  config to the saved model, which was loaded again: the loss falls, each weight that trains gets a gradient and moves, no other
  does, and the plan counted them. A cell is the test `test_cell[family-column]`.
* **GPU**: the same by `tests/gpu/test_families.py`, on {gpu}.
* **CPU** under GPTQ: the same beside layers that gptqmodel quantised, by `tests/gptq/test_families.py`, on {gptq}.
* **not run**: the plan does not refuse it, and it could not be tried: nothing here quantises the family by GPTQ; or flash-attn,
  which `flash 2` needs where torch's own kernel has no path for the family, would have to be compiled.
* **no**: the plan refuses it, in the sentence [below](#refused), before anything is loaded. A test holds the run to it too.

Columns of attention are LoRA in bf16 on packed rows, or on rows of one sample where the family lets no rows be packed.
`flash 2` and `flash 4` are `attn_implementation: flash_attention_2` and `flash_attention_4`.
"""

REFUSALS = """\
## Refused

| family | column | the plan says |
|---|---|---|"""

TARGETS = """\
## Families

What `lora_target_linear: true`, which is the default, puts an adapter on. PEFT has no targets of its own for some of these.

| family | such as | adapter on | none on |
|---|---|---|---|"""

TAIL = """\
BTLM and XGen stand for models and tokenizers whose Python code lies beside their weights. Without `trust_remote_code: true` that
code is not run, and the run ends with a sentence. The tests have code of their own in its place; BTLM's and XGen's was not run.
A model of own code computes attention as that code does: by `sdpa` where it says that it can, else by its own (`eager`).

RWKV models would halve the weights of their deeper layers in place wherever they evaluate (`rescale_every`), against the narrow
range of fp16. That is switched off, in the saved `config.json` too: what is computed is the same, but for rounding.

Falcon's linear layers are of a class of their own, which Transformers 5 leaves whole without a word; so its base is not kept
in few bits.
"""


def page(root: Path, cells: Sequence[Cell]) -> str:
    """Return the page of models.

    Parameters
    ----------
    root
        The folder that `cells` wrote the tiny models into.
    cells
        All cells.
    """
    gpu, gptq = _record(GPU), _record(GPTQ)
    worked = {"GPU": gpu.get("worked", {}), "CPU": gptq.get("worked", {})}
    lines = [
        HEAD.format(gpu=_where(gpu), gptq=_where(gptq)),
        f"| family | {' | '.join(WAYS)} |",
        f"|{'---|' * (1 + len(WAYS))}",
    ]
    for family in FAMILIES.values():
        row = [_word(cell, worked) for cell in cells if cell.family is family]
        lines.append(f"| [{family.name}](#families) | {' | '.join(row)} |")
    lines += ["", REFUSALS]
    lines += [f"| {cell.family.name} | {cell.way.name} | {cell.refusal} |" for cell in cells if cell.refusal]
    lines += ["", TARGETS]
    lines += [
        f"| {family.name} | {family.known_as} | {_targets(root / family.name)} |"
        for family in FAMILIES.values()
    ]
    return "\n".join([*lines, "", TAIL])


def _word(cell: Cell, worked: Mapping[str, Mapping[str, Any]]) -> str:
    """Return where a cell was seen to work: in this test run, or where it was recorded."""
    if cell.refusal:
        return "no"
    # XGen has Llama's architecture, and the GPU does not see its tokenizer.
    name = "Llama" if cell.family.code == "tokenizer" else cell.family.name
    places = ["CPU"] if cell.way.on == "cpu" else []
    way = cell.way.run or cell.way.name
    places += [place for place, families in worked.items() if way in families.get(name, {})]
    return " ".join(places) or "not run"


def _record(file: Path) -> dict[str, Any]:
    """Return what was recorded by tests that do not run everywhere."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def _where(record: Mapping[str, Any]) -> str:
    """Return the machine and the versions of a record."""
    if not record:
        return "no machine yet"
    versions = ", ".join(f"{package} {version}" for package, version in record["versions"].items())
    return f"{record['device']} ({versions})"


def _targets(folder: Path) -> str:
    """Return on what of a model ``lora_target_linear: true`` puts an adapter, and on what it does not."""
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)
    outline = outline_of(model)
    found = adapted(outline, ALL_LINEAR)
    without = (
        [f"the fused experts: {_ends(outline.experts)}"]
        if outline.experts.keys() - found.parameters.keys()
        else []
    )
    if never := read_past(model.config.model_type):
        without.append(f"{_ends(never)}: the model reads their weights past them")
    beside = (
        f"; and of the fused experts and their router {_ends(found.parameters)}" if found.parameters else ""
    )
    return f"{_ends(found.modules)}{beside} | {'; '.join(without)}"


def _ends(names: Iterable[str]) -> str:
    """Return the last parts of names, each once."""
    parts = ["gate.weight" if name.endswith("gate.weight") else name.rsplit(".", 1)[-1] for name in names]
    return ", ".join(f"`{part}`" for part in dict.fromkeys(parts))


def main() -> None:
    """Print the page."""
    with tempfile.TemporaryDirectory(prefix="families-") as name:
        print(page(Path(name), tuple(cells(Path(name)))), end="")


if __name__ == "__main__":
    main()
