"""Fast tokenizers as transformers made them, kept on disk, for whoever must not wait for transformers.

To load a tokenizer takes seconds, nearly all of it for the imports of transformers and torch. What comes out is a tokenizer of
the tokenizers library and a few names, always the same ones for the same files, so they are kept when it was loaded once::

    ~/.cache/ft_jupyter/tokenizers/<key>.json    the key: the files' names, sizes and times, the versions, what the config adds

A kept tokenizer gives the same ids and texts, because it is the same object of the same library. What it does not have itself
it asks of the one it stands for, which it then loads. Training has no use for it: it loads what it saves.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ft_core.models.added_tokens import ROLES
from ft_core.models.chat_rendering import is_plain, render_chat
from ft_core.models.parameters import model_folder
from ft_core.models.source import is_offline
from ft_core.models.tokenizer import load_tokenizer
from ft_core.user_cache import cache_dir

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config

MOST = 16
"""Tokenizers that are kept, those used last; each is as large as its ``tokenizer.json``, 2 to 30 MB."""

_FORM = 1
"""Counts the changes to what is written."""

_KEYS = ("special_tokens", "tokens", "added_tokens_overrides")
"""Keys of a config that change its tokenizer."""

_METHODS = (
    "__call__", "_encode_plus", "apply_chat_template", "convert_ids_to_tokens", "decode", "_decode", "get_chat_template",
    "get_vocab", "added_tokens_decoder", "_convert_encoding", "set_truncation_and_padding", "__len__",
)  # fmt: skip
"""What `KeptTokenizer` does in the place of the class of all fast tokenizers; a class with its own is not kept."""


_WITHOUT_EFFECT = ("verbose", "return_attention_mask")
"""What a call may ask for that says nothing of ids and their characters."""


def open_tokenizer(config: Config) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a config for looking at data: the kept one, else the loaded one, which is kept if it can be.

    Raises
    ------
    ModelError, MissingExtra
        As `ft_core.models.load_tokenizer`.
    """
    if (file := _kept_file(config)) is None:
        return load_tokenizer(config)
    # Not there, or not whole: the library raises plain Exception for what it cannot read.
    with suppress(Exception):
        kept = KeptTokenizer(json.loads(file.read_bytes()), lambda: load_tokenizer(config))
        # A read would not show in the file's times.
        os.utime(file)
        return cast("Any", kept)
    tokenizer = load_tokenizer(config)
    # The download of a model may have brought its files only now; what was read is told by them.
    if (file := _kept_file(config)) is not None and (facts := facts_to_keep(tokenizer)) is not None:
        with suppress(OSError):
            _write(file, json.dumps(facts, ensure_ascii=False))
    return tokenizer


class KeptTokenizer:
    """A fast tokenizer without transformers.

    Parameters
    ----------
    kept
        What `open_tokenizer` has kept of it.
    load
        Loads the tokenizer that it stands for.
    """

    is_fast = True

    def __init__(self, kept: Mapping[str, Any], load: Callable[[], PreTrainedTokenizerBase]) -> None:
        from tokenizers import Tokenizer

        self.backend_tokenizer: Tokenizer = Tokenizer.from_str(kept["backend"])
        self.name_or_path: str = kept["name_or_path"]
        self.split_special_tokens: bool = kept["split_special_tokens"]
        self.special_tokens_map: dict[str, Any] = kept["special_tokens_map"]
        self.all_special_ids: list[int] = kept["all_special_ids"]
        for role in ROLES:
            setattr(self, role, kept[role][0])
            setattr(self, f"{role}_id", kept[role][1])
        self._chat_template: str | None = kept["chat_template"]
        self._named = frozenset(cast("list[str]", kept["named"]))
        self._load = load

    def __getattr__(self, name: str) -> Any:
        """Ask the tokenizer that it stands for."""
        if name.startswith("__") or name == "_load":
            raise AttributeError(name)
        return getattr(self._whole, name)

    @cached_property
    def _whole(self) -> PreTrainedTokenizerBase:
        return self._load()

    def __call__(
        self,
        text: str | Sequence[str],
        *,
        add_special_tokens: bool = True,
        return_offsets_mapping: bool = False,
        **settings: Any,
    ) -> Mapping[str, Any]:
        """Return ids, and where their characters are, under the names that transformers gives them."""
        if any(value for name, value in settings.items() if name not in _WITHOUT_EFFECT):
            whole: Any = self._whole
            return whole(
                text,
                add_special_tokens=add_special_tokens,
                return_offsets_mapping=return_offsets_mapping,
                **settings,
            )
        backend = self.backend_tokenizer
        backend.no_truncation()
        backend.no_padding()
        if backend.encode_special_tokens != self.split_special_tokens:
            backend.encode_special_tokens = self.split_special_tokens
        one = isinstance(text, str)
        encodings = backend.encode_batch([text] if one else list(text), add_special_tokens=add_special_tokens)
        found: dict[str, list[Any]] = {"input_ids": [each.ids for each in encodings]}
        if return_offsets_mapping:
            found["offset_mapping"] = [each.offsets for each in encodings]
        return {name: values[0] for name, values in found.items()} if one else found

    def __len__(self) -> int:
        return self.backend_tokenizer.get_vocab_size(with_added_tokens=True)

    def __bool__(self) -> bool:
        return True

    @property
    def added_tokens_decoder(self) -> dict[int, Any]:
        """The tokens that are never split, by their ids."""
        return self.backend_tokenizer.get_added_tokens_decoder()

    def get_vocab(self) -> dict[str, int]:
        """Return the id of every token."""
        return self.backend_tokenizer.get_vocab(with_added_tokens=True)

    def convert_ids_to_tokens(self, ids: int | Sequence[int]) -> Any:
        """Return the token of an id, or those of several."""
        if isinstance(ids, int):
            return self.backend_tokenizer.id_to_token(ids)
        return [self.backend_tokenizer.id_to_token(int(each)) for each in ids]

    def decode(
        self, ids: Sequence[int], *, skip_special_tokens: bool, clean_up_tokenization_spaces: bool
    ) -> str:
        """Return the text of ids."""
        if clean_up_tokenization_spaces:
            whole: Any = self._whole
            return whole.decode(
                ids, skip_special_tokens=skip_special_tokens, clean_up_tokenization_spaces=True
            )
        return self.backend_tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens)

    def get_chat_template(self) -> str:
        """Return the template that comes with the tokenizer.

        Raises
        ------
        ValueError
            It has none.
        """
        if self._chat_template is None:
            raise ValueError("no chat template")
        return self._chat_template

    def apply_chat_template(
        self,
        conversation: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None,
        chat_template: str,
        add_generation_prompt: bool,
        tokenize: bool,
        return_dict: bool,
        **variables: Any,
    ) -> str:
        """Return the text of a conversation, as `ft_core.data.template.render` asks for it."""
        if (
            tokenize
            or return_dict
            or not self._named.isdisjoint(variables)
            or not is_plain(chat_template, conversation, tools, variables)
        ):
            whole: Any = self._whole
            return whole.apply_chat_template(
                conversation,
                tools=tools,
                chat_template=chat_template,
                add_generation_prompt=add_generation_prompt,
                tokenize=tokenize,
                return_dict=return_dict,
                **variables,
            )
        return render_chat(
            chat_template,
            conversation,
            tools,
            {**self.special_tokens_map, **variables},
            add_generation_prompt=add_generation_prompt,
        )


def facts_to_keep(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any] | None:
    """Return what there is to keep of a tokenizer, None where it has manners of its own."""
    from transformers import TokenizersBackend

    own: Any = tokenizer
    kind = type(tokenizer)
    if not isinstance(tokenizer, TokenizersBackend) or any(
        inspect.getattr_static(kind, name, None) is not inspect.getattr_static(TokenizersBackend, name, None)
        for name in _METHODS
    ):
        return None
    names: dict[str, Any] = own.special_tokens_map
    try:
        backend = own.backend_tokenizer.to_str()
    except Exception:  # noqa: BLE001 - the library raises plain Exception for a part that cannot be written
        return None
    try:
        template = own.get_chat_template()
    except ValueError:
        template = None
    return {
        "backend": backend,
        "name_or_path": own.name_or_path,
        "split_special_tokens": own.split_special_tokens,
        "special_tokens_map": {role: _plain(token) for role, token in names.items()},
        "all_special_ids": own.all_special_ids,
        **{role: [getattr(own, role), getattr(own, f"{role}_id")] for role in ROLES},
        "chat_template": template,
        # What its method takes for itself never reaches a template.
        "named": list(inspect.signature(kind.apply_chat_template).parameters),
    }


def _plain(token: object) -> Any:
    """Return special tokens as their texts."""
    if isinstance(token, list):
        return [str(each) for each in cast("list[object]", token)]
    return str(token)


def _kept_file(config: Config) -> Path | None:
    """Return the file that a tokenizer is kept in, None for one whose files may be others by now."""
    name = config.tokenizer_config or config.base_model
    revision = config.revision_of_model if name == config.base_model else None
    if config.trust_remote_code or (folder := _folder(name, revision)) is None:
        return None
    files: list[tuple[str, int, int]] = []
    with suppress(OSError):
        for entry in sorted(folder.iterdir()):
            about = entry.stat()
            files.append((entry.name, about.st_size, about.st_mtime_ns))
    parts = {
        "form": _FORM,
        "folder": str(folder.resolve()),
        "name": name,
        "files": files,
        "config": config.model_dump(mode="json", include=set(_KEYS)),
        "versions": [metadata.version(package) for package in ("tokenizers", "transformers")],
    }
    digest = hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()
    return cache_dir() / "tokenizers" / f"{digest}.json"


def _folder(name: str, revision: str | None) -> Path | None:
    """Return the folder with a tokenizer's files, as a load would find them now.

    Of a model of the hub that is the commit which its revision names today: asked of the hub, unless that is switched off.
    """
    local = Path(name).expanduser()
    if local.is_dir():
        return local
    if is_offline():
        return model_folder(name, revision)
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(name, "tokenizer_config.json", revision=revision)).parent
    except Exception:  # noqa: BLE001 - whatever it is, the load that follows tells it in its words
        return None


def _write(file: Path, text: str) -> None:
    """Write a file all at once, and remove those that were not used for longest."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, delete=False) as stream:
        stream.write(text)
    os.replace(stream.name, file)  # noqa: PTH105 - the name is a str
    kept = sorted(file.parent.glob("*.json"), key=lambda each: each.stat().st_mtime_ns)
    for old in kept[:-MOST]:
        old.unlink(missing_ok=True)
