"""``ft evaluate RUN|CONFIG``: the loss of a model on evaluation data."""

from __future__ import annotations

import argparse

from ft_core.cli.overrides import ABOUT, add_set, load

HELP = "the loss and perplexity of a run's model, or of a config's base model, on its evaluation data"
TAKES_OVERRIDES = True
EPILOG = ABOUT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("config", metavar="RUN|CONFIG", help="a run, a YAML file, or its https:// address")
    parser.add_argument(
        "--weights",
        metavar="NAME",
        default="final",
        help="of a run: final (the default), base, or a checkpoint such as checkpoint-100",
    )
    add_set(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Evaluate in a process of its own, and print a table."""
    from ft_core.config.address import is_address
    from ft_core.errors import RunError
    from ft_core.launch.evaluation import evaluate_config, evaluate_run
    from ft_core.runs import open_run
    from ft_core.train.evaluate import render

    if arguments.config.endswith((".yml", ".yaml")) or is_address(arguments.config):
        print(render(evaluate_config(load(arguments))))
        return 0
    if arguments.set or arguments.overrides:
        raise RunError(
            "A run is evaluated as it was trained, so no key can be set.",
            "Name a YAML file to evaluate its base model.",
        )
    print(render(evaluate_run(open_run(arguments.config), arguments.weights)))
    return 0
