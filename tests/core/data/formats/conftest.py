"""Samples of rows in a few words, and tokenizers of other families than the real one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from ft_core.config import Config
from ft_core.data import Sample, tokenize_rows
from ft_core.errors import DataError

MakeConfig = Callable[..., Config]
SPECIAL = ("<s>", "</s>", "<unk>")


@pytest.fixture(scope="session")
def samples(make_config: MakeConfig, tokenizer: Any) -> Callable[..., list[Sample]]:
    """Return a function from a type (or the keys of a dataset) and rows to samples."""

    def make(
        dataset: str | dict[str, Any], *rows: dict[str, Any], other: Any = None, **keys: Any
    ) -> list[Sample]:
        entry = dataset if isinstance(dataset, dict) else {"type": dataset}
        return tokenize_rows(make_config(entry, **keys), rows, other or tokenizer)

    return make


@pytest.fixture(scope="session")
def parts(samples: Callable[..., list[Sample]]) -> Callable[..., list[tuple[str, str, bool]]]:
    """Return a function like `samples` for one row: the text of each span, who says it, and whether it is trained."""

    def make(*args: Any, **keys: Any) -> list[tuple[str, str, bool]]:
        [sample] = samples(*args, **keys)
        return [(span.text, span.role, span.trained) for span in sample.spans]

    return make


@pytest.fixture(scope="session")
def fault(samples: Callable[..., list[Sample]]) -> Callable[..., tuple[str, str]]:
    """Return a function like `samples` for a wrong second row: message and fix."""

    def make(dataset: Any, good: dict[str, Any], wrong: dict[str, Any], **keys: Any) -> tuple[str, str]:
        with pytest.raises(DataError) as caught:
            samples(dataset, good, wrong, **keys)
        return caught.value.message, caught.value.fix

    return make


def byte_level(*, adds: str = "", bos: str | None = "<s>", eos: str = "</s>") -> Any:
    """Return a tokenizer of single bytes, lossless; `adds` is what it puts around a text, such as ``<s> $A``."""
    vocabulary = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(vocabulary)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    return _wrapped(backend, adds, bos, eos)


def prefix_space(*, adds: str = "<s> $A", bos: str | None = "<s>", eos: str = "</s>") -> Any:
    """Return a tokenizer that begins each text with the mark of a space, as SentencePiece does for Llama 2."""
    pieces = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), "▁"]
    pieces += [*"abcdefghijklmnopqrstuvwxyzQA:.\n", "▁a", "▁the", "he", "ll"]
    merges = [("▁", "a"), ("h", "e"), ("l", "l")]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", byte_fallback=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return _wrapped(backend, adds, bos, eos)


def unigram(*, adds: str = "<s> $A </s>") -> Any:
    """Return a Unigram tokenizer with Metaspace that puts both BOS and EOS around a text."""
    scores = [(piece, 0.0) for piece in SPECIAL] + [("▁", -2.0), ("▁a", -1.5)]
    scores += [(letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyzQA:.\n"] + [("he", -2.5)]
    backend = Tokenizer(models.Unigram(scores, unk_id=2, byte_fallback=False))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    backend.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    return _wrapped(backend, adds, "<s>", "</s>")


def _wrapped(backend: Tokenizer, adds: str, bos: str | None, eos: str) -> Any:
    if adds:
        backend.post_processor = processors.TemplateProcessing(
            single=adds, special_tokens=[("<s>", 0), ("</s>", 1)]
        )
    names = {"bos_token": bos} if bos else {}
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=eos, unk_token="<unk>", **names)


OTHERS = {
    "bytes": byte_level(),
    "bytes, no BOS": byte_level(bos=None),
    "bytes, adds BOS": byte_level(adds="<s> $A"),
    "bytes, BOS is EOS": byte_level(bos="</s>"),
    "bytes, adds BOS, which is EOS": byte_level(adds="</s> $A", bos="</s>"),
    "bytes, adds BOS and EOS": byte_level(adds="<s> $A </s>"),
    "prefix space, adds BOS": prefix_space(),
    "prefix space, adds nothing": prefix_space(adds=""),
    "unigram, adds BOS and EOS": unigram(),
}
"""Tokenizers without a chat template, by what is special about them."""


@pytest.fixture(params=OTHERS)
def other(request: pytest.FixtureRequest) -> Any:
    """Return each of these tokenizers in turn."""
    return OTHERS[request.param]
