"""The model as it will be loaded, built without weights: its real module names, sizes and number of positions.

Building takes torch and transformers, so a child process does it, on torch's meta device, where a tensor has a shape and
no memory; it needs the model's ``config.json`` alone. The outline is kept in a cache by what that file says, so that the
next plan has it at once. The process that asks imports neither.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ft_core
from ft_core.errors import FtError, MissingExtra, ModelError
from ft_core.models.config_overrides import overridden, overrides_of
from ft_core.models.demo import cache_dir
from ft_core.models.gptq import is_packed, parameters_of
from ft_core.models.outline import Fusion, Module, Outline, read_past
from ft_core.models.parameters import fetch_model_config, model_config, model_folder, positions
from ft_core.models.source import explain_load_error
from ft_core.models.unfrozen import named_weights

if TYPE_CHECKING:
    from ft_core.config import Config

_SECONDS = 120  # a mixture of thousands of unfused experts builds in half a minute
_MEMORY = 8 * 1024**3  # bytes that a config of absurd numbers may take before the child fails


def cached_skeleton(config: Config) -> Outline | None:
    """Return the outline of `config.base_model` if one was built before from the same ``config.json``."""
    file = _cache_file(config)
    if file is None:
        return None
    try:
        return Outline.from_dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there, or written by another version of this code


def build_skeleton(config: Config) -> Outline | None:
    """Build `config.base_model` without weights in a child process, keep its outline and return it; takes seconds.

    Returns
    -------
    Outline or None
        None where the model's ``config.json`` is neither here nor on a hub that answers, or it cannot be built for a
        reason that loading will tell better.

    Raises
    ------
    ModelError
        The installed transformers does not know the architecture, or it needs code that the config does not trust.
    MissingExtra
        A package that the model's code needs is not installed.
    """
    folder = model_folder(config.base_model, config.revision_of_model)
    if folder is None:
        fetch_model_config(config.base_model, config.revision_of_model, with_code=config.trust_remote_code)
    if (known := cached_skeleton(config)) is not None:
        return known
    file, folder = _cache_file(config), model_folder(config.base_model, config.revision_of_model)
    if file is None or folder is None:
        return None
    with _overridden_folder(folder, overrides_of(config)) as folder:
        answer = _ask_child(folder, trust_remote_code=config.trust_remote_code)
    if (refusal := answer.get("refusal")) is not None:
        kinds: dict[str, type[FtError]] = {"MissingExtra": MissingExtra}
        message = refusal["message"].replace(str(folder), config.base_model)
        raise kinds.get(refusal["kind"], ModelError)(message, refusal["fix"])
    if "outline" not in answer:
        return None
    _keep(file, answer["outline"])
    return Outline.from_dict(answer["outline"])


def _cache_file(config: Config) -> Path | None:
    """Return where the outline of the config's model is kept: by its config, its own code, and the libraries' versions."""
    folder = model_folder(config.base_model, config.revision_of_model)
    if folder is None:
        return None
    digest = hashlib.sha256(f"{metadata.version('transformers')} {config.trust_remote_code}".encode() + b"\0")
    code = sorted(folder.glob("*.py")) if config.trust_remote_code else []
    for file in (folder / "config.json", *code):
        digest.update(file.read_bytes() + b"\0")
    if overrides := overrides_of(config):
        digest.update(json.dumps(overrides, sort_keys=True).encode())
    return cache_dir() / "skeletons" / f"{digest.hexdigest()[:32]}.json"


@contextmanager
def _overridden_folder(folder: Path, overrides: Mapping[str, Any]) -> Generator[Path]:
    """Give a folder with the model's ``config.json``, written over, and its code: `folder` itself where nothing is."""
    if not overrides:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="ft-config-") as name:
        for file in folder.glob("*.py"):
            shutil.copy(file, name)
        written = json.dumps(overridden(model_config(folder), overrides))
        (Path(name) / "config.json").write_text(written, encoding="utf-8")
        yield Path(name)


def _keep(file: Path, outline: dict[str, Any]) -> None:
    """Write an outline whole or not at all; a cache that cannot be written costs only time."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=file.parent, suffix=".tmp", encoding="utf-8", delete=False
        ) as work:
            json.dump(outline, work)
        Path(work.name).replace(file)
    except OSError:
        return


def _ask_child(folder: Path, *, trust_remote_code: bool) -> dict[str, Any]:
    """Return what the child process says of the model in `folder`; nothing where it dies or takes too long."""
    source = str(Path(ft_core.__file__).parents[1])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(part for part in (source, os.environ.get("PYTHONPATH", "")) if part),
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "TRANSFORMERS_VERBOSITY": "error",
    }
    command = [sys.executable, "-m", "ft_core.models.skeleton", str(folder.absolute())]
    if trust_remote_code:
        command.append("--trust-remote-code")
    with tempfile.TemporaryDirectory(prefix="ft-skeleton-") as empty:
        try:
            # In an empty folder: Python puts the current one first on its path, with whatever modules lie there.
            done = subprocess.run(
                command,
                cwd=empty,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
            return json.loads(done.stdout) if done.returncode == 0 else {}
        except (OSError, subprocess.TimeoutExpired, ValueError):
            return {}


def main(folder: str, *, trust_remote_code: bool) -> dict[str, Any]:
    """Return what the child process says: an ``outline``, a ``refusal`` that a user can mend, or nothing."""
    try:
        return {"outline": _outline(folder, trust_remote_code=trust_remote_code).to_dict()}
    except Exception as error:  # noqa: BLE001 - a model's own code may raise anything
        explained = explain_load_error(error, folder, "base model")
        if explained is None:
            return {}
        return {
            "refusal": {
                "kind": type(explained).__name__,
                "message": explained.message,
                "fix": explained.fix,
            }
        }


def _outline(folder: str, *, trust_remote_code: bool) -> Outline:
    """Build the model in `folder` on the meta device and return what it is made of."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    settings = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(settings, trust_remote_code=trust_remote_code)
    return outline_of(model)


def outline_of(model: Any) -> Outline:
    """Return what a Transformers model is made of.

    Parameters
    ----------
    model
        A ``PreTrainedModel``, with or without weights.
    """
    modules = {name: _module(module) for name, module in model.named_modules() if name}
    for name in [name for name in modules if name.endswith(read_past(model.config.model_type))]:
        modules[name] = Module("other", modules[name].parameters)
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    weights, twins = named_weights(model)
    shared = getattr(embedding, "weight", None)
    return Outline(
        total=sum(weight.numel() for weight in model.parameters()),
        modules=modules,
        embedding=next((name for name, module in model.named_modules() if module is embedding), ""),
        output_head=next((name for name, module in model.named_modules() if module is head and head), ""),
        tied=tuple(
            name
            for name, module in model.named_modules()
            if shared is not None and getattr(module, "weight", None) is shared
        ),
        experts={
            name: tuple(weight.shape)
            for name, weight in model.named_parameters()
            if weight.dim() == 3 and "expert" in name
        },
        fusion=_fusion(model),
        weights={name: tuple(weight.shape) for name, weight in weights.items()},
        twins=twins,
        positions=positions(model.config.to_dict()),
        exact=True,
    )


def _fusion(model: Any) -> Fusion | None:
    """Return how the installed PEFT translates targets that name experts (``peft.utils.transformers_weight_conversion``)."""
    try:
        from peft.utils import transformers_weight_conversion as conversion
    except ImportError:
        return None
    families: dict[str, str] = getattr(conversion, "_MODEL_TO_CONVERSION_PATTERN", {})
    family = families.get(model.config.model_type, "")
    names: dict[str, str] = getattr(conversion, "_MOE_TARGET_MODULE_MAPPING", {}).get(family, {})
    together: dict[str, list[str]] = getattr(conversion, "_MOE_FUSED_TARGETS", {}).get(family, {})
    if not names or not together:
        return None
    ends = tuple(f".{name}" for name in names.values())
    shapes = {name: tuple(weight.shape) for name, weight in model.named_parameters() if name.endswith(ends)}
    return Fusion(names, {name: tuple(parts) for name, parts in together.items()}, shapes)


def _module(module: Any) -> Module:
    """Return what an adapter on `module` would add."""
    import torch
    from transformers.pytorch_utils import Conv1D

    count = sum(weight.numel() for weight in module.parameters())
    if isinstance(module, torch.nn.Linear):
        return Module("linear", count, module.in_features + module.out_features, module.out_features)
    if isinstance(module, Conv1D):
        rows, columns = module.weight.shape
        return Module("linear", count, rows + columns, columns)
    if isinstance(module, torch.nn.Embedding):
        return Module("embedding", count, module.num_embeddings + module.embedding_dim, module.embedding_dim)
    if is_packed(module):
        ends = module.in_features + module.out_features
        return Module("linear", parameters_of(module), ends, module.out_features)
    if isinstance(module, (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)):
        ends = module.in_channels * math.prod(module.kernel_size) + module.out_channels // module.groups
        return Module("convolution", count, ends, module.out_channels)
    return Module("other", count)


def _limit_memory() -> None:
    """Keep a config of absurd numbers from taking the machine with it."""
    try:
        import resource
    except ImportError:
        return  # Windows
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    soft = _MEMORY if hard == resource.RLIM_INFINITY else min(_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


if __name__ == "__main__":
    _limit_memory()
    answer_to, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no part of the answer
    json.dump(main(sys.argv[1], trust_remote_code="--trust-remote-code" in sys.argv[2:]), answer_to)
