"""``ft merge-lora RUN|CONFIG``: add an adapter into its base's weights."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ft_core.cli.overrides import ABOUT, add_set, load

if TYPE_CHECKING:
    from ft_core.infer.merge import Merged, Progress

HELP = "add an adapter into the weights of its base, and save the model that comes of it"
TAKES_OVERRIDES = True
EPILOG = (
    "RUN|CONFIG: a run, an adapter's folder, or the YAML file that the adapter was trained with (its adapter is then in\n"
    "output_dir, or in --lora-model-dir). The model goes to 'merged' in the run's directory or the adapter's folder.\n"
    "Everything is done on the CPU, in whole weights; an adapter of a 4 bit base gets the weights it was trained on.\n\n"
    + ABOUT
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("source", metavar="RUN|CONFIG", help="what to merge")
    parser.add_argument(
        "--lora-model-dir", "--lora_model_dir", metavar="DIR", help="the adapter's folder, for a CONFIG"
    )
    parser.add_argument("--out", metavar="DIR", help="the folder for the model")
    parser.add_argument(
        "--dtype",
        choices=("auto", "bf16", "fp16", "fp32"),
        default="auto",
        help="format of the saved weights (default: the base's own 16 bit format, else bf16)",
    )
    parser.add_argument(
        "--dequant",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="for a quantised base: merge into the weights as they were rounded, which the adapter was trained on "
        "(default), or into the base's own",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    add_set(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Merge, and print what came of it."""
    print(_merge(arguments).render())
    return 0


def _merge(arguments: argparse.Namespace) -> Merged:
    from ft_core.config.address import is_address
    from ft_core.errors import RunError
    from ft_core.infer.merge import merge, source_of_config
    from ft_core.runs import open_run

    name: str = arguments.source
    with tempfile.TemporaryDirectory(prefix="ft-merge-") as folder, _bar() as on_progress:
        if name.endswith((".yml", ".yaml")) or is_address(name):
            arguments.config = name
            source = source_of_config(load(arguments), arguments.lora_model_dir, Path(folder))
        elif arguments.lora_model_dir or arguments.set or arguments.overrides:
            raise RunError(
                "A run is merged as it was trained: it has its adapter, and no key can be set.",
                "Name a YAML file to merge the adapter of another folder.",
            )
        else:
            is_adapter = (Path(name) / "adapter_config.json").is_file()
            source = Path(name) if is_adapter else open_run(name)
        return merge(
            source,
            arguments.out,
            dtype=arguments.dtype,
            dequantise=arguments.dequant,
            overwrite=arguments.overwrite,
            on_progress=on_progress,
        )


@contextmanager
def _bar() -> Generator[Progress | None]:
    """Give what draws how far it is, where somebody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def advance(what: str, done: int, total: int | None) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield advance
