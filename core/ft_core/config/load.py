"""From text, file or mapping to a valid config, or every problem at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as LocalPath
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ft_core.config.address import is_address
from ft_core.config.checks import check_together
from ft_core.config.config import Config, Origin, Provenance
from ft_core.config.dataset_tables import take_tables, with_tables
from ft_core.config.derive import derive
from ft_core.config.document import MAX_BYTES, Document, Path, read_document
from ft_core.config.draft import Draft, dotted
from ft_core.config.keys import keep_supported
from ft_core.config.overrides import apply_overrides
from ft_core.config.paths import check_files
from ft_core.config.problems import ConfigError, Problem, shown
from ft_core.config.renamed import rename_keys
from ft_core.config.variables import VariableError, as_data

STAND_INS: dict[str, Any] = {
    "base_model": "stand-in",
    "datasets": [{"path": "stand-in", "type": "completion"}],
    "learning_rate": 1e-4,
}
"""Values for required keys that are missing or wrong, so that the rest can still be checked together."""

EXAMPLES = {
    "base_model": "base_model: HuggingFaceTB/SmolLM2-135M-Instruct",
    "datasets": "datasets: [{path: rows.jsonl, type: chat_template}]",
    "learning_rate": "learning_rate: 2e-4",
    "path": "path: rows.jsonl",
    "type": "type: chat_template",
}
"""A line to add for each required key."""

OTHER_SOURCES = ("nemo_gym_datasets",)
"""Keys that say what is trained on in place of datasets."""

LAUNCHER_KEYS = ("provider", "gpu", "gpu_count")
"""What a config of Axolotl's cloud launchers says, and no config of a run does."""


def load_config(
    source: str | LocalPath | Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    *,
    variables: Mapping[str, Any] | None = None,
    first_line: int = 1,
    check_paths: bool = True,
) -> Config:
    """Return the config that `source` writes, with every default filled in.

    Parameters
    ----------
    source
        YAML text, the path of a YAML file, or a mapping (taken as it is: ``${name}`` means nothing there, and the path
        of a dataset may be the table itself).
        A text of one line that is an ``https://`` address, so that it holds no space, stands for the text found there.
    overrides
        Values that win over those of `source`, by dotted path: ``{"datasets[0].path": "rows.jsonl"}``.
    variables
        What ``${name}`` may name in a text; None where there is no notebook, and then it is an error.
    first_line
        The number that the text's first line goes by: 2 for the body of a cell.
    check_paths
        Whether local files that are named must be there.

    Raises
    ------
    ConfigError
        Something is wrong; it carries every problem.

    Examples
    --------
    >>> config = load_config("{base_model: a/b, learning_rate: 1e-4, datasets: [{path: c/d, type: alpaca}]}")
    >>> config.learning_rate, config.optimizer, config.datasets[0].type
    (0.0001, 'adamw_torch_fused', 'alpaca')
    """
    if isinstance(source, str) and is_address(source):
        from ft_core.config.remote import fetch

        source, first_line = fetch(source), 1
    text, document = _read(source, variables, first_line)
    draft = Draft(_top_map(document, text, first_line, bool(overrides)), document, bad=set(document.broken))
    draft.problems += document.problems
    apply_overrides(draft, overrides or {})
    rename_keys(draft)
    _refuse_launcher(draft)
    draft.data = keep_supported(draft, draft.data, "top")
    _read_method(draft)
    if "datasets" not in draft.data and any(draft.is_bad((key,)) for key in OTHER_SOURCES):
        # What to train on is given; that it is refused is enough.
        draft.bad.add(("datasets",))
    tables = take_tables(draft)
    config = with_tables(_validate(draft), tables)
    check_together(config, draft)
    if check_paths:
        check_files(config, draft)
    if any(problem.severity == "error" for problem in draft.problems):
        raise ConfigError(draft.told(), text, first_line)
    config, reasons = derive(config, draft.data)
    warnings = tuple(draft.told())
    return config.with_provenance(Provenance(text, warnings, _origins(draft, reasons), first_line))


def _read(
    source: str | LocalPath | Mapping[str, Any], variables: Mapping[str, Any] | None, first_line: int
) -> tuple[str, Document]:
    """Return the text of `source` (empty for a mapping) and its document."""
    if isinstance(source, Mapping):
        try:
            return "", Document(data=as_data(source, "the config"))
        except VariableError as error:
            raise ConfigError([Problem(None, None, "", error.message, error.fix)]) from error
    text = _read_file(source) if isinstance(source, LocalPath) else source
    return text, read_document(text, variables=variables, first_line=first_line)


def _read_file(file: LocalPath) -> str:
    """Return the text of `file`."""
    try:
        if file.stat().st_size > MAX_BYTES:
            # Read no further than shows that it is too long.
            with file.open("rb") as stream:
                return stream.read(MAX_BYTES + 1).decode("utf-8", errors="replace")
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        problem = Problem(None, None, "", f"'{file}' is not UTF-8 text", "save it as UTF-8")
        raise ConfigError([problem]) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        problem = Problem(None, None, "", f"'{file}' cannot be read: {reason}", "check the path")
        raise ConfigError([problem]) from error


def _top_map(document: Document, text: str, first_line: int, overridden: bool) -> dict[str, Any]:
    """Return the document's map, or raise where it holds none."""
    data = document.data
    if isinstance(data, dict):
        return data
    problems = list(document.problems)
    if data is None and not problems:
        if overridden:
            return {}
        lines = " and ".join(f"'{EXAMPLES[key]}'" for key in STAND_INS)
        problems.append(Problem(None, None, "", "the config is empty", f"write at least {lines}"))
    elif data is not None:
        place = document.values[()]
        fix = "write 'key: value' lines"
        if isinstance(data, str) and data.endswith((".yml", ".yaml")) and "\n" not in data:
            fix = "this is read as YAML text; give a pathlib.Path to read a file"
        message = f"a config is 'key: value' lines, not {shown(data)}"
        problems.append(Problem(place.line, place.column, "", message, fix))
    raise ConfigError(problems, text, first_line)


def _refuse_launcher(draft: Draft) -> None:
    """Report a config of a cloud launcher, which stands beside that of the run, by one problem in place of one a key."""
    key = next((key for key in LAUNCHER_KEYS if key in draft.data), None)
    if key is not None and "base_model" not in draft.data:
        message = f"'{key}' is not supported yet: this is the config of a cloud launcher, and not of a run"
        draft.report((key,), message, "give the config of the run that it launches", at="key")
        draft.data = {}
        draft.bad.update((required,) for required in STAND_INS)


def _read_method(draft: Draft) -> None:
    """Give preference data without a type the empty one: its columns are the method's own, as in Axolotl."""
    if draft.data.get("rl") is False:
        del draft.data["rl"]
    if draft.data.get("rl") or draft.data.get("reward_model") or ("rl",) in draft.refused:
        for key in ("datasets", "test_datasets"):
            entries = draft.data.get(key)
            for entry in entries if isinstance(entries, list) else ():
                if isinstance(entry, dict):
                    entry.setdefault("type", "")


def _validate(draft: Draft) -> Config:
    """Return the typed values, reporting those of a wrong kind and standing in for them."""
    try:
        return Config.model_validate(draft.data)
    except ValidationError as error:
        for details in error.errors(include_url=False, include_input=True):
            _report_invalid(draft, details)
    wrong = {bad[0] for bad in draft.bad if bad[0] not in ("datasets", "test_datasets") or len(bad) == 1}
    data = {key: value for key, value in draft.data.items() if key not in wrong}
    in_entries: dict[Path, set[str | int]] = {}
    for bad in draft.bad:
        if len(bad) > 2:
            in_entries.setdefault(bad[:2], set()).add(bad[2])
    for key in ("datasets", "test_datasets"):
        if isinstance(data.get(key), list):
            data[key] = [
                _mended_entry(entry, in_entries.get((key, index), set()))
                for index, entry in enumerate(data[key])
            ]
    return Config.model_validate({**STAND_INS, **data})


def _mended_entry(entry: Any, wrong: set[str | int]) -> dict[str, Any]:
    """Return the dataset entry with stand-ins for the keys that are missing or `wrong`."""
    right = (
        {key: value for key, value in entry.items() if key not in wrong} if isinstance(entry, dict) else {}
    )
    return {**STAND_INS["datasets"][0], **right}


def _report_invalid(draft: Draft, details: ErrorDetails) -> None:
    """Report one of pydantic's errors."""
    context = details.get("ctx", {})
    path: Path = details["loc"]
    name = f"'{path[-1]}'" if isinstance(path[-1], str) else f"'{dotted(draft.written(path))}'"
    if context.get("item") is not None:
        path = (*path, context["item"])
    kind = details["type"]
    if kind == "missing":
        if not draft.is_bad(path):
            holder = draft.written(path[:-1])
            if path in draft.document.keys:
                message = f"'{path[-1]}' is empty"
            else:
                message = f"'{dotted(holder)}' has no '{path[-1]}'" if holder else f"'{path[-1]}' is missing"
            draft.report(path, message, f"add '{EXAMPLES[str(path[-1])]}'")
        return
    if draft.is_bad(path):
        return
    if kind == "ft":
        draft.report(path, f"{name} {context['message']}", context["fix"])
        # The whole is wrong where an item of it is.
        draft.bad.add(details["loc"])
        if context["planned"]:
            draft.refused[details["loc"]] = details["input"]
    elif kind == "tuple_type":
        draft.report(
            path, f"{name} must be a list, not {shown(details['input'])}", "begin each entry with '- '"
        )
    elif kind == "model_type":
        fix = (
            "write 'path: rows.jsonl' and 'type: chat_template' in it"
            if path[0] != "special_tokens"
            else "write 'pad_token: ...' in it"
        )
        draft.report(path, f"{name} must be a map of 'key: value' lines, not {shown(details['input'])}", fix)
    else:
        draft.report(path, f"{name} is not valid: {details['msg']}")


def _origins(draft: Draft, reasons: Mapping[str, str]) -> dict[str, Origin]:
    """Return where each value that is no plain default came from."""
    origins: dict[str, Origin] = {}

    def visit(value: Any, path: Path) -> None:
        override = draft.override_of(draft.written(path))
        if override is not None:
            origins[dotted(path)] = Origin("override", None, f"--set {dotted(override)}")
        else:
            place = draft.place(path, "key")
            line, column = (place.line, place.column) if place else (None, None)
            origins[dotted(path)] = Origin("line", line, "", column)
        items = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        for part, inner in items:
            visit(inner, (*path, part))

    for key, value in draft.data.items():
        visit(value, (key,))
    origins.update({key: Origin("derived", None, reason) for key, reason in reasons.items()})
    return origins
