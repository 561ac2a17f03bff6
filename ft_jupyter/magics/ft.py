"""What the ``%ft`` line does: one small function a verb, each returns an object that draws itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ft_core import runs as engine_runs
from ft_core.config import Config, explain, load_config, parse_overrides
from ft_core.config.address import is_address
from ft_core.config.problems import did_you_mean
from ft_core.errors import FtError, RunError
from ft_jupyter import api
from ft_jupyter.key_card import KeyCard, KeyList
from ft_jupyter.magics.arguments import LineParser, split
from ft_jupyter.markup import MONO, MUTED, columns, table, text
from ft_jupyter.run import Run
from ft_jupyter.values_card import ValuesCard

LOG_LINES = 50


@dataclass(frozen=True)
class Verb:
    """One verb of ``%ft``: how it is written, what it does, and the function that does it."""

    usage: str
    help: str
    do: Callable[[list[str], Notebook], object]


@dataclass(frozen=True)
class Notebook:
    """Where a verb looks for what its words mean: the notebook's variables, then the folder of runs."""

    user_ns: Mapping[str, object]
    root: Path | None

    def run(self, name: str) -> Run:
        """Return the run that a variable holds, or else the run of this name or directory.

        Raises
        ------
        RunError
            There is neither.
        """
        held = self.user_ns.get(name)
        if isinstance(held, engine_runs.Run):
            return Run.of(held)
        return Run.of(engine_runs.open_run(name, self.root))

    def config(self, file: str, overrides: Sequence[str] = ()) -> Config:
        """Return the config of a YAML file or https address, in which ``${name}`` names a variable of the notebook.

        Raises
        ------
        ConfigError
            With every problem of the YAML.
        """
        source = file if is_address(file) else Path(file).expanduser()
        return load_config(source, parse_overrides(overrides), variables=self.user_ns)


@dataclass(frozen=True)
class Words:
    """Text for people, shown as it is."""

    words: str

    def __repr__(self) -> str:
        return self.words

    def _repr_html_(self) -> str:
        return (
            f'<pre style="{MONO};white-space:pre-wrap;max-height:32em;overflow:auto">{text(self.words)}</pre>'
        )


class Help:
    """The verbs of ``%ft``."""

    def __repr__(self) -> str:
        return columns([(f"%ft {verb.usage}", verb.help) for verb in VERBS.values()])

    def _repr_html_(self) -> str:
        rows = [(f"<code>%ft {text(verb.usage)}</code>", text(verb.help)) for verb in VERBS.values()]
        return (
            table(rows)
            + f'<div style="{MUTED}">NAME is a run, its directory, or a variable that holds one.</div>'
        )


def ft(line: str, user_ns: Mapping[str, object], *, root: Path | None) -> object:
    """Do what the line of ``%ft`` says and return what it shows.

    Raises
    ------
    FtError
        The verb is unknown, its words do not fit, or what it asks for does not exist.
    """
    words = split(line, "%ft")
    if not words or words[0] in ("help", "-h", "--help"):
        return Help()
    verb = VERBS.get(words[0])
    if verb is None:
        near = did_you_mean(words[0], VERBS) or "."
        raise FtError(f"%ft has no verb '{words[0]}'{near}", f"The verbs are {', '.join(VERBS)}.")
    return verb.do(words[1:], Notebook(user_ns, root))


def _runs(words: list[str], notebook: Notebook) -> object:
    _parser("runs").parse_words(words)
    return api.runs(notebook.root)


def _attach(words: list[str], notebook: Notebook) -> Run:
    return notebook.run(_named("attach").parse_words(words).name)


def _stop(words: list[str], notebook: Notebook) -> Words:
    parser = _named("stop")
    parser.add_argument("--now", action="store_true")
    options = parser.parse_words(words)
    run = notebook.run(options.name)
    if not run.alive:
        return Words(f"{run.name} is over: {run.summary()}.")
    run.stop(now=options.now)
    if options.now:
        return Words(f"Ended {run.name} at once; its last checkpoint stays.")
    return Words(
        f"Asked {run.name} to finish its step, save and stop. %ft stop {run.name} --now ends it at once."
    )


def _logs(words: list[str], notebook: Notebook) -> Words:
    parser = _named("logs")
    parser.add_argument("-n", type=int, default=LOG_LINES, metavar="N", dest="lines")
    options = parser.parse_words(words)
    run = notebook.run(options.name)
    return Words(run.log_tail(options.lines) or f"{run.name} has printed nothing.")


def _chat(words: list[str], notebook: Notebook) -> object:
    return notebook.run(_named("chat").parse_words(words).name).chat()


def _merge(words: list[str], notebook: Notebook) -> object:
    parser = _named("merge")
    parser.add_argument("--out", metavar="DIR")
    parser.add_argument("--dtype", choices=("auto", "bf16", "fp16", "fp32"), default="auto")
    parser.add_argument("--no-dequant", action="store_true")
    parser.add_argument("--overwrite", action="store_true")
    options = parser.parse_words(words)
    return api.merge(
        notebook.run(options.name),
        options.out,
        dtype=options.dtype,
        dequantise=not options.no_dequant,
        overwrite=options.overwrite,
    )


def _inspect(words: list[str], notebook: Notebook) -> object:
    parser = _parser("inspect")
    parser.add_argument("name", nargs="?", metavar="NAME|file.yml")
    parser.add_argument("--wait", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options, keys = parser.parse_with_keys(words)
    overrides = [*options.set, *keys]
    if options.name is not None and _is_yaml(options.name):
        return api.inspect(notebook.config(options.name, overrides), wait=options.wait)
    if overrides:
        raise FtError(
            "A run is inspected as it was trained, so no key can be set.",
            "Change keys in the inspector, or name a YAML file: %ft inspect file.yml --set key=value",
        )
    if options.name is not None:
        return api.inspect(notebook.run(options.name), wait=options.wait)
    newest = engine_runs.find_runs(notebook.root)
    if not newest:
        raise RunError("There is no run to inspect yet.", "Name a YAML file: %ft inspect file.yml")
    return api.inspect(newest[0], wait=options.wait)


def _plan(words: list[str], notebook: Notebook) -> object:
    parser = _parser("plan")
    parser.add_argument("file", metavar="file.yml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options, keys = parser.parse_with_keys(words)
    return api.plan(notebook.config(options.file, [*options.set, *keys]))


def _preprocess(words: list[str], notebook: Notebook) -> object:
    parser = _parser("preprocess")
    parser.add_argument("file", metavar="file.yml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options, keys = parser.parse_with_keys(words)
    return api.preprocess(notebook.config(options.file, [*options.set, *keys]))


def _evaluate(words: list[str], notebook: Notebook) -> object:
    parser = _parser("evaluate")
    parser.add_argument("name", metavar="NAME|file.yml")
    parser.add_argument("--weights", default="final")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options, keys = parser.parse_with_keys(words)
    overrides = [*options.set, *keys]
    if _is_yaml(options.name):
        return api.evaluate(notebook.config(options.name, overrides))
    if overrides:
        raise FtError(
            "A run is evaluated as it was trained, so no key can be set.",
            "Name a YAML file to evaluate its base model.",
        )
    return api.evaluate(notebook.run(options.name), weights=options.weights)


def _explain(words: list[str], notebook: Notebook) -> KeyCard | KeyList | ValuesCard:
    parser = _parser("explain")
    parser.add_argument("asked", nargs="?", metavar="KEY|file.yml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options, keys = parser.parse_with_keys(words)
    if options.asked is None:
        return KeyList()
    if _is_yaml(options.asked):
        return ValuesCard(notebook.config(options.asked, [*options.set, *keys]))
    return KeyCard(explain(options.asked))


def _parser(verb: str) -> LineParser:
    return LineParser(f"%ft {verb}", VERBS[verb].help)


def _named(verb: str) -> LineParser:
    """Return the parser of a verb that needs a run."""
    parser = _parser(verb)
    parser.add_argument("name", metavar="NAME")
    return parser


def _is_yaml(name: str) -> bool:
    return name.endswith((".yml", ".yaml")) or is_address(name)


VERBS = {
    "runs": Verb("runs", "every run: its state, how far it is, its loss", _runs),
    "attach": Verb("attach NAME", "see a run, live while it trains", _attach),
    "stop": Verb("stop NAME [--now]", "finish the step, save and stop; --now ends the run at once", _stop),
    "logs": Verb("logs NAME [-n N]", f"the last N lines that a run printed (default {LOG_LINES})", _logs),
    "chat": Verb("chat NAME", "talk to the tuned model beside its base", _chat),
    "merge": Verb(
        "merge NAME [--out DIR] [--dtype bf16] [--no-dequant] [--overwrite]",
        "add the adapter into the weights of its base, as a model of its own",
        _merge,
    ),
    "inspect": Verb(
        "inspect [NAME|file.yml] [--wait]",
        "the rows, tokens, masks and packing of a run or a config, and what is wrong with them",
        _inspect,
    ),
    "plan": Verb("plan file.yml", "what a run of this file would do", _plan),
    "preprocess": Verb(
        "preprocess file.yml", "tokenize the data now, so that a run starts at once", _preprocess
    ),
    "evaluate": Verb(
        "evaluate NAME|file.yml [--weights final]",
        "loss and perplexity of a run's model, or of a config's base, on the evaluation data",
        _evaluate,
    ),
    "explain": Verb(
        "explain [KEY|file.yml]",
        "what a key means, or where each value of a config comes from; alone, every key by topic",
        _explain,
    ),
}
"""Every verb, in the order of the help."""
