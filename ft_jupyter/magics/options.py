"""The options of the ``%%finetune`` line."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass

from ft_core.errors import FtError
from ft_jupyter.magics.arguments import LineParser, split

DEFAULT_VARIABLE = "run"

_RESUME = ("auto_resume_from_checkpoints=true",)


@dataclass(frozen=True)
class FinetuneOptions:
    """What the line asks for.

    Attributes
    ----------
    name
        Name of the run, None for the next free ``run-<n>``.
    plan, inspect
        Show the plan or the data, and train nothing.
    wait
        Let the cell last as long as the run, or until the inspector has looked at all rows.
    gpus
        Number of processes to train on, None for what the machine offers.
    overrides
        ``key=value`` words: those of ``--set``, then the keys that stand on the line themselves.
    base
        A YAML file, or its https address, that the cell's body overrides.
    overwrite
        Replace a run of the same name.
    """

    name: str | None = None
    plan: bool = False
    inspect: bool = False
    wait: bool = False
    gpus: int | None = None
    overrides: tuple[str, ...] = ()
    base: str | None = None
    overwrite: bool = False

    @property
    def variable(self) -> str:
        """The Python name that the run gets: the run's own, made an identifier."""
        return python_name(self.name) if self.name else DEFAULT_VARIABLE


def python_name(name: str) -> str:
    """Return the Python name for a run of this name.

    >>> python_name("joker"), python_name("my-run.2"), python_name("1b"), python_name("class")
    ('joker', 'my_run_2', 'run_1b', 'run_class')
    """
    name = re.sub(r"[^0-9A-Za-z_]", "_", name)
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"run_{name}"


def parse_finetune(line: str) -> FinetuneOptions:
    """Return the options of a ``%%finetune`` line.

    Raises
    ------
    FtError
        The line does not say what to do: an unknown option, a missing value, an option of a later version.
    """
    options, keys = finetune_parser().parse_with_keys(split(line, "%%finetune"))
    if options.launcher != "process":
        known = options.launcher in ("inline", "notebook")
        problem = "does not exist yet" if known else "does not exist"
        raise FtError(
            f"%%finetune: the launcher '{options.launcher}' {problem}.",
            "Leave --launcher out: the run then has its own process.",
        )
    if options.plan and options.inspect:
        raise FtError("%%finetune: --plan and --inspect each show something else.", "Use one of them.")
    return FinetuneOptions(
        name=options.name,
        plan=options.plan,
        inspect=options.inspect,
        wait=options.wait,
        gpus=options.gpus,
        overrides=(*options.set, *keys, *_RESUME * options.resume),
        base=options.base,
        overwrite=options.overwrite,
    )


def finetune_parser() -> LineParser:
    """Return the parser of the line: what options there are."""
    parser = LineParser("%%finetune", "Fine-tune a model; the cell is a YAML with Axolotl's keys.")
    parser.add_argument("name", nargs="?", help="name of the run and of the variable that receives it")
    parser.add_argument("--plan", action="store_true", help="validate and estimate, train nothing")
    parser.add_argument("--inspect", action="store_true", help="look at the data, train nothing")
    parser.add_argument("--wait", action="store_true", help="block until the run ends")
    parser.add_argument("--gpus", type=_count, metavar="N", help="train on N GPUs")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a key; repeatable"
    )
    parser.add_argument("--base", metavar="FILE", help="a YAML file, or its address, that the cell overrides")
    parser.add_argument(
        "--resume", action="store_true", help="go on where the last run of this config broke off"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a run of the same name")
    parser.add_argument("--launcher", default="process", metavar="process", help="how the run is started")
    return parser


def _count(word: str) -> int:
    """Return a positive whole number; argparse turns the ValueError into its sentence."""
    number = int(word)
    if number < 1:
        raise ValueError(word)
    return number


_count.__name__ = "number"  # argparse names the type in its message: "invalid number value: 'x'"
