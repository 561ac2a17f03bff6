"""What samples depend on besides the rows: everything that gives other samples gives another key.

A key of the config is taken for one that matters unless it stands in `LATER` or `ELSEWHERE`, or its topic has nothing to do
with data, so that a new key errs on the safe side.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_core.config.schema.data import DataKeys
from ft_core.config.schema.dataset import Dataset
from ft_core.config.schema.sequence import SequenceKeys
from ft_core.config.schema.tokenizer import TokenizerKeys
from ft_core.config.schema.values import names
from ft_core.data.formats.functions import function_files
from ft_core.data.sources.share import takes_share
from ft_core.data.template import resolve_template
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config

LATER = names(
    "datasets test_datasets val_set_size shuffle_merged_datasets shuffle_before_merging_datasets "
    "dataset_exact_deduplication group_by_length curriculum_sampling dataset_prepared_path push_dataset_to_hub "
    "hf_use_auth_token dataset_num_proc dataset_keep_in_memory remove_unused_columns dataloader_num_workers "
    "dataloader_prefetch_factor dataloader_pin_memory dataloader_drop_last pad_to_sequence_len pad_to_multiple_of "
    "sample_packing eval_sample_packing sample_packing_group_size sample_packing_bin_size sample_packing_sequentially "
    "multipack_real_batches batch_flattening attn_implementation flex_attn_compile_kwargs gemma4_hybrid_attn_impl "
    "fused_attn_kernel flash_attn_cross_entropy flash_attn_fuse_mlp flash_optimum"
)
"""Keys that say what is done with samples, or how they are made and kept, and not what they are."""

ELSEWHERE = names("tokenizer_config tokenizer_type special_tokens chat_template chat_template_jinja")
"""Keys that name what is looked at itself: the tokenizer, and the template's text."""

DATASET_ELSEWHERE = names("path data_files chat_template chat_template_jinja")
"""Of a dataset: what its rows are is told by their content."""

CONFIG_KEYS = tuple(
    key
    for topic in (DataKeys, SequenceKeys, TokenizerKeys)
    for key in topic.model_fields
    if key not in (*LATER, *ELSEWHERE)
)
"""The keys at the top of a config that samples depend on."""

DATASET_KEYS = tuple(key for key in Dataset.model_fields if key not in DATASET_ELSEWHERE)
"""The keys of a dataset that its samples depend on."""

LIBRARIES = ("tokenizers", "transformers", "jinja2", "datasets", "pandas", "pyarrow")
"""Packages that read rows, render conversations or make ids."""


def samples_key(config: Config, tokenizer: PreTrainedTokenizerBase, dataset: Dataset, content: str) -> str:
    """Return a name for the samples of a dataset, which only the same samples have.

    Parameters
    ----------
    config, tokenizer, dataset
        As for `ft_core.data.tokenize_rows`.
    content
        The digest of its rows, as `ft_core.data.content.content_of` returns it.
    """
    parts = {
        "content": content,
        "config": config.model_dump(mode="json", include=set(CONFIG_KEYS)),
        "dataset": dataset.model_dump(mode="json", include=set(DATASET_KEYS)),
        # Which rows a share takes is drawn by the seed.
        "seed": config.seed if takes_share(dataset) else None,
        "function": [_digest(file.read_text("utf-8")) for file in function_files(dataset)],
        "template": _template(config, tokenizer, dataset),
        "tokenizer": tokenizer_digest(tokenizer),
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
        "code": code_digest(),
    }
    return _digest(json.dumps(parts, sort_keys=True))


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return a digest of a tokenizer: of all that says which ids a text becomes."""
    # One that is not fast has none, and `ft_core.data.encode` refuses it.
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    # What stands before the tokens is how the last call padded and truncated.
    _, _, tokens = (backend.to_str() if backend else "").partition('"added_tokens"')
    special = {role: str(token) for role, token in tokenizer.special_tokens_map.items()}
    settings = [type(tokenizer).__name__, getattr(tokenizer, "split_special_tokens", False), special]
    return _digest(json.dumps(settings, sort_keys=True) + tokens)


@cache
def code_digest() -> str:
    """Return a digest of the code that makes samples of rows."""
    folder = Path(__file__).parent
    files = sorted(file for kind in ("*.py", "*.jinja") for file in folder.rglob(kind))
    return _digest(json.dumps([(str(file.relative_to(folder)), file.read_text("utf-8")) for file in files]))


def _template(config: Config, tokenizer: PreTrainedTokenizerBase, dataset: Dataset) -> str | None:
    """Return the text of the chat template, None where there is none; its type then has no use for one."""
    try:
        return resolve_template(config, tokenizer, dataset).text
    except DataError:
        return None


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
