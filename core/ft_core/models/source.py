"""Whether a base model is there, and in which words to say why it cannot be loaded. Torch-free."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ft_core.errors import FtError, MissingExtra, ModelError, causes

if TYPE_CHECKING:
    from ft_core.config import Config

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


def check_base_model(config: Config) -> None:
    """Raise what can be known about `config.base_model` without loading it and without the network.

    Raises
    ------
    ModelError
        It names a folder that is missing, or holds no model, or only an adapter; or it is a hub id, the hub is
        switched off, and the cache does not have it.
    """
    name = config.base_model
    folder = Path(name).expanduser()
    if folder.is_dir():
        _check_folder(folder, weights=not config.reinit_weights)
    elif _looks_like_path(name):
        raise ModelError(f"The base model folder '{name}' does not exist.", _nearest(folder))
    elif is_offline() and not _in_cache(name, config.revision_of_model):
        raise ModelError(
            f"The base model '{name}' is neither a folder here nor in the hub's cache, and HF_HUB_OFFLINE keeps the hub off.",
            "Name a local folder, or unset HF_HUB_OFFLINE to download it.",
        )


def is_offline() -> bool:
    """Say whether the environment forbids asking the model hub."""
    switches = (os.environ.get("HF_HUB_OFFLINE", ""), os.environ.get("TRANSFORMERS_OFFLINE", ""))
    return any(value.upper() in ("1", "ON", "YES", "TRUE") for value in switches)


def explain_load_error(error: Exception, name: str, what: str) -> FtError | None:
    """Return what loading `name` met, as a sentence; None if it is not the user's to mend.

    Parameters
    ----------
    error
        What Transformers raised. It wraps the hub's own exceptions, so the whole chain is looked at.
    name
        The folder or hub id.
    what
        ``base model`` or ``tokenizer``.
    """
    chain = causes(error)
    kinds = {type(link).__name__ for link in chain}
    text = " ".join(str(link) for link in chain)
    if "GatedRepoError" in kinds or "gated repo" in text:
        return ModelError(
            f"The {what} '{name}' is gated: its owner gives access on request.",
            f"Ask for access at https://huggingface.co/{name}, then log in with 'hf auth login' or set HF_TOKEN.",
        )
    if (
        kinds & {"RepositoryNotFoundError", "RevisionNotFoundError"}
        or "is not a local folder and is not a valid" in text
    ):
        return ModelError(
            f"There is no {what} '{name}': no folder of that name here, and the hub does not know it.",
            "Check the spelling; for a private repository log in with 'hf auth login' or set HF_TOKEN.",
        )
    if "Repo id must be" in text:
        return ModelError(f"The {what} folder '{name}' does not exist.", _nearest(Path(name).expanduser()))
    if "trust_remote_code" in text:
        return ModelError(
            f"The {what} '{name}' needs Python code from its own repository, which is not run unasked.",
            "Read that code, and if you trust it write 'trust_remote_code: true'.",
        )
    if (
        kinds & {"LocalEntryNotFoundError", "OfflineModeIsEnabled", "ConnectError"}
        or "couldn't connect" in text.lower()
    ):
        return ModelError(
            f"The {what} '{name}' is not on this machine, and the hub cannot be reached.",
            "Check the network and HF_HUB_OFFLINE, or name a local folder.",
        )
    if "does not recognize this architecture" in text:
        return ModelError(
            f"The installed transformers does not know the architecture of '{name}'.",
            "pip install --upgrade transformers",
        )
    if isinstance(error, ImportError) and (package := re.search(r"pip install ([\w\-\[\]]+)", text)):
        return MissingExtra(
            f"The {what} '{name}' needs the package '{package.group(1)}', which is not installed.",
            f"pip install {package.group(1)}",
        )
    if isinstance(error, OSError) and "does not appear to have a file named" in text:
        return ModelError(
            f"The {what} '{name}' is incomplete: {_first_sentence(text)}", "Download or save it again."
        )
    if "SafetensorError" in kinds:
        return ModelError(
            f"The weights of '{name}' cannot be read: {chain[0]}.", "Download or save the model again."
        )
    return None


def _check_folder(folder: Path, *, weights: bool) -> None:
    """Raise a ModelError unless `folder` holds a Transformers model, with `weights` where they are needed."""
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            raise ModelError(
                f"'{folder}' holds an adapter, not a model.",
                "Set base_model to the model it was trained on.",
            )
        raise ModelError(
            f"'{folder}' is not a Transformers model: it has no config.json.",
            "Name the folder that holds config.json, the weights and the tokenizer.",
        )
    if weights and not any(any(folder.glob(pattern)) for pattern in _WEIGHTS):
        raise ModelError(
            f"'{folder}' has a config.json but no weights (*.safetensors or pytorch_model*.bin).",
            "Download or save the model again.",
        )


def _looks_like_path(name: str) -> bool:
    """Say whether `name` can only be a path: a hub id has at most one slash and does not start with a dot."""
    return name.startswith((".", "~", "/")) or name.count("/") > 1 or "\\" in name or Path(name).is_absolute()


def _nearest(folder: Path) -> str:
    """Return a fix that names the folder's nearest sibling, if there is one."""
    siblings = (
        [path.name for path in folder.parent.iterdir() if path.is_dir()] if folder.parent.is_dir() else []
    )
    close = difflib.get_close_matches(folder.name, siblings, n=1)
    return (
        f"Did you mean '{folder.parent / close[0]}'?"
        if close
        else "Check the path, or name a model of the hub."
    )


def _in_cache(repo_id: str, revision: str | None) -> bool:
    """Say whether the hub's cache holds the model's config."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(repo_id, "config.json", revision=revision), str)
    except HFValidationError:
        return False


def _first_sentence(text: str) -> str:
    """Return the text up to its first line end or full stop followed by a space."""
    return re.split(r"\n|\. ", text.strip(), maxsplit=1)[0].rstrip(".") + "."
