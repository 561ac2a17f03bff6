r"""A function of the user's as a type: ``type: my_module.my_function``, ``type: rows.py:my_function``, or its code.

It takes a row, a dict, and returns one of three things. This is ``rows.py``::

    def ask(row):                 # a prompt, and the response to it
        return f"Q: {row['question']}\nA:", row["answer"]

    def segments(row):            # pieces of text, each trained or not; nothing is added to them
        return [{"text": f"{row['question']} = ", "train": False}, {"text": row["answer"], "train": True}]

    def chat(row):                # messages, which the chat template writes, with the options of `type: chat_template`
        return [
            {"role": "user", "content": row["question"]},
            {"role": "assistant", "content": row["answer"]},
        ]
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import linecache
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from ft_core.config.functions import SUFFIX, split_function, with_whole_path
from ft_core.config.problems import did_you_mean
from ft_core.config.schema.dataset import SAME_NAMES, Dataset
from ft_core.config.schema.dataset_type import FunctionSource, is_function
from ft_core.data.document import Document, Format, Tokenized
from ft_core.data.formats import chat_template
from ft_core.data.formats.columns import kind_of
from ft_core.data.formats.instructions import prompt_and_response
from ft_core.data.formats.segments import segments_document
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config

PROTOCOL = "Return a prompt and a response (two texts), a list of {text, train}, or a list of messages with role and content."


def prepare(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Format:
    """Return the format of the function that the type of `dataset` names.

    Raises
    ------
    DataError
        There is no such function, or its module fails.
    """
    form = dataset.type
    if isinstance(form, FunctionSource):
        name, function = form.name, _run_code(form)
    else:
        name = cast("str", form)
        function = load_function(name)

    @cache
    def chat() -> Format:
        plain = {"field_messages": "messages", "message_property_mappings": dict(SAME_NAMES)}
        return chat_template.prepare(config, dataset.model_copy(update=plain), tokenizer)

    def render(row: Mapping[str, Any]) -> Document | Tokenized:
        result = _call(function, name, copy.deepcopy(dict(row)))
        match result:
            case (str(prompt), str(response)):
                return prompt_and_response(prompt, response, train_on_inputs=config.train_on_inputs)
            case [{"text": _}, *_]:
                return segments_document(result, flag="train", train_on_inputs=config.train_on_inputs)
            case [{"role": _}, *_]:
                return chat().render({"messages": result})
            case _:
                raise DataError(
                    f"{name} returned {_shown(result)}, of which no sample can be made.", PROTOCOL
                )

    return Format(fields=(), render=render)


def load_function(name: str) -> Callable[[dict[str, Any]], Any]:
    """Return the function that is called `name`, as its file is now.

    Parameters
    ----------
    name
        ``my_module.my_function`` in the working folder or among the installed modules, or ``rows.py:my_function``.

    Raises
    ------
    DataError
        There is no such module or function, or the module itself raises; the message says what and where.
    """
    place, attribute = split_function(with_whole_path(name))
    module = _run_file(Path(place), name) if place.endswith(SUFFIX) else _import(place, name)
    found = getattr(module, attribute, None)
    if callable(found):
        return found
    if found is None:
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise DataError(
            f"type: {name}: there is no function '{attribute}' in {place}{did_you_mean(attribute, known) or '.'}",
            f"It has: {', '.join(known)}." if known else "Write one there that takes a row.",
        )
    fix = (
        "Name a function in it: a function that takes a row, where Axolotl has a load that makes a strategy."
    )
    raise DataError(
        f"type: {name} is {_shown(found)}, no function.", fix if isinstance(found, ModuleType) else PROTOCOL
    )


def function_files(dataset: Dataset) -> list[Path]:
    """Return the files that a type which is a function may depend on: its own and those beside it, or of its package.

    A function among the installed modules has its own file; a type that is no such function has none.
    """
    if not isinstance(dataset.type, str) or not is_function(dataset.type):
        return []
    place, _ = split_function(with_whole_path(dataset.type))
    if place.endswith(SUFFIX):
        root = _root(file := Path(place))
        inside = file.relative_to(root).parts
        beside = (root / inside[0]).rglob(f"*{SUFFIX}") if len(inside) > 1 else root.glob(f"*{SUFFIX}")
        return sorted({file, *beside})
    origin = getattr(_import(place, dataset.type), "__file__", None)
    return [Path(origin)] if origin else []


def _run_code(form: FunctionSource) -> Callable[[dict[str, Any]], Any]:
    """Return the function of a type that is code."""
    namespace: dict[str, Any] = {"__name__": f"ft_function_{form.name}"}
    # Traceback and inspect find the lines here.
    linecache.cache[form.name] = (len(form.python), None, form.python.splitlines(keepends=True), form.name)
    try:
        exec(compile(form.python, form.name, "exec"), namespace)  # noqa: S102 - it is the user's own
    except Exception as error:
        raise DataError(f"The code of the function '{form.name}' fails: {_reason(error)}.") from error
    return namespace[form.name]


def _run_file(file: Path, name: str) -> ModuleType:
    """Return the module of a file, run anew, so that an edited file is never taken for what it was."""
    if not file.is_file():
        raise DataError(f"type: {name}: there is no file '{file}'.", "Check the path.")
    root = _root(file)
    # Last on the path: a user's datasets.py is not to stand in for the library.
    if str(root) not in sys.path:
        sys.path.append(str(root))
    try:
        if root != file.parent:
            inside = file.relative_to(root).with_suffix("").parts
            module_name = ".".join(inside[:-1] if inside[-1] == "__init__" else inside)
            loaded = sys.modules.get(module_name)
            return importlib.reload(loaded) if loaded else importlib.import_module(module_name)
        # Under a name of its own, for the same reason.
        spec = importlib.util.spec_from_file_location(f"ft_function_{file.stem}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    except Exception as error:
        raise DataError(f"type: {name}: {file} cannot be loaded: {_reason(error)}.") from error
    return module


def _root(file: Path) -> Path:
    """Return the folder that a file is imported from: its own, or that of the package it belongs to."""
    root = file.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    return root


def _import(module: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            raise DataError(
                f"type: {name}: there is no module '{module}' in {Path.cwd()}, and none is installed.",
                "Check the name, or name its file: folder/rows.py:my_function.",
            ) from error
        raise DataError(f"type: {name}: {module} cannot be imported: {_reason(error)}.") from error
    except Exception as error:
        raise DataError(f"type: {name}: {module} cannot be imported: {_reason(error)}.") from error


def _call(function: Callable[[dict[str, Any]], Any], name: str, row: dict[str, Any]) -> Any:
    try:
        return function(row)
    except Exception as error:
        raise DataError(f"{name} raised {_reason(error)}.", "Mend the function, or the row.") from error


def _reason(error: Exception) -> str:
    """Return what an error says, and the line that raised it."""
    said = " ".join(str(error).split()).rstrip(".")
    words = f"{type(error).__name__}: {said}" if said else type(error).__name__
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    frames = [frame for frame in frames if not frame.filename.startswith("<frozen")]
    if isinstance(error, SyntaxError) or not frames:
        return words
    return f"{words} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"


def _shown(value: object) -> str:
    """Return what a value is, for a sentence."""
    if isinstance(value, ModuleType):
        return "a module"
    return (
        kind_of(value)
        if isinstance(value, (type(None), bool, str, int, float, list, tuple, dict))
        else (f"an object of the class {type(value).__name__}")
    )
