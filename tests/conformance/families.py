"""The model families that the tests go by: each a tiny random model, built out of its config in milliseconds.

Windows are shorter than the documents of the tests, so that a window counts too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OWN_CODE = Path(__file__).with_name("own_code")
"""Python files that lie beside a model's weights, in place of the makers' own."""

VOCABULARY = 320
"""Rows of the tiny models' embeddings: some more than their tokenizer has tokens."""

WIDE = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
WINDOW = {**WIDE, "sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"]}
HEADS = {"head_dim": 16}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
GPT = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 128}
FALCON = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
JAMBA = {
    **WIDE,
    "num_hidden_layers": 4,
    "attn_layer_period": 4,
    "attn_layer_offset": 2,
    "num_experts": 2,
    "mamba_d_state": 4,
}


@dataclass(frozen=True)
class Family:
    """A family of models.

    Attributes
    ----------
    name
        What its makers call it.
    model_type
        What its ``config.json`` calls it.
    shape
        The sizes of the tiny model.
    known_as
        Models of it, and other models of its architecture.
    code
        Which part of the model is Python code that lies beside it: ``model``, ``tokenizer``, or none.
    """

    name: str
    model_type: str
    shape: Mapping[str, Any] = field(default_factory=dict[str, Any])
    known_as: str = ""
    code: str = ""


FAMILIES = {
    family.name: family
    for family in (
        Family("Llama", "llama", WIDE, "Llama 1 to 3, SmolLM2, TinyLlama, Yi"),
        Family("Mistral", "mistral", {**WIDE, "sliding_window": 4}, "Mistral, Zephyr"),
        Family("Mixtral", "mixtral", {**WIDE, "num_local_experts": 4}, "Mixtral 8x7B, 8x22B"),
        Family("Pythia", "gpt_neox", WIDE, "Pythia, GPT-NeoX, RedPajama"),
        Family("Cerebras", "gpt2", GPT, "Cerebras-GPT, GPT-2"),
        Family("BTLM", "btlm", GPT, "BTLM-3B, whose code lies beside its weights", code="model"),
        Family("MPT", "mpt", {"d_model": 64, "n_heads": 4, "n_layers": 2, "max_seq_len": 128}, "MPT 7B, 30B"),
        Family("Falcon", "falcon", FALCON, "Falcon 7B, 40B, 180B"),
        Family("GPT-J", "gptj", {**GPT, "rotary_dim": 4}, "GPT-J 6B"),
        Family("XGen", "llama", WIDE, "XGen 7B: Llama with a tokenizer of its own code", code="tokenizer"),
        Family("Phi", "phi", WIDE, "Phi 1, 1.5, 2"),
        Family("Phi 3", "phi3", WIDE, "Phi 3, Phi 4"),
        Family(
            "RWKV",
            "rwkv",
            {
                "hidden_size": 64,
                "num_hidden_layers": 2,
                "attention_hidden_size": 64,
                "intermediate_size": 64,
                "context_length": 128,
                "rescale_every": 1,
            },
            "RWKV 4",
        ),
        Family("Qwen 2", "qwen2", WIDE, "Qwen 1.5 to 2.5"),
        Family(
            "Qwen 2 MoE",
            "qwen2_moe",
            {**WIDE, **EXPERTS, "shared_expert_intermediate_size": 32},
            "Qwen 1.5 and 2 MoE",
        ),
        Family("Qwen 3", "qwen3", {**WIDE, **HEADS}, "Qwen 3"),
        Family("Qwen 3 MoE", "qwen3_moe", {**WIDE, **HEADS, **EXPERTS}, "Qwen 3 30B-A3B, 235B-A22B"),
        Family("Gemma", "gemma", {**WIDE, **HEADS}, "Gemma, CodeGemma"),
        Family("Gemma 2", "gemma2", {**WINDOW, **HEADS}, "Gemma 2"),
        Family("Gemma 3", "gemma3_text", {**WINDOW, **HEADS}, "Gemma 3 1B and 270M"),
        Family("Jamba", "jamba", JAMBA, "Jamba: Mamba layers, attention and experts"),
        Family("Mamba", "mamba", {"hidden_size": 64, "num_hidden_layers": 2, "state_size": 4}, "Mamba 1"),
        Family("BLOOM", "bloom", {"hidden_size": 64, "n_layer": 2, "n_head": 4}, "BLOOM, BLOOMZ"),
        Family("OPT", "opt", {**WIDE, "word_embed_proj_dim": 64, "ffn_dim": 64}, "OPT"),
        Family("SmolLM 3", "smollm3", WIDE, "SmolLM3"),
        Family("StarCoder 2", "starcoder2", WIDE, "StarCoder2"),
        Family("StableLM", "stablelm", WIDE, "StableLM 2"),
    )
}
"""Families by name, in the order in which the page of models has them."""

SHAPES = {family.model_type: family.shape for family in FAMILIES.values() if family.code != "model"}
"""Sizes of the tiny model of each architecture that Transformers has."""


def random_model(model_type: str, shape: Mapping[str, Any], **keys: Any) -> Any:
    """Return a random model.

    Parameters
    ----------
    model_type, shape
        As a `Family` has them.
    keys
        More of its config, such as ``vocab_size``, and ``attn_implementation`` or ``dtype``.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    loading = {name: keys.pop(name) for name in ("attn_implementation", "dtype") if name in keys}
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        model_type, **{**shape, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, **keys}
    )
    return AutoModelForCausalLM.from_config(config, **loading)


def write_model(family: Family, folder: Path) -> None:
    """Write a family's tiny model with a tokenizer of bytes into `folder`, and the code that belongs beside it."""
    byte_tokenizer().save_pretrained(folder)
    if family.code:
        for file in (OWN_CODE / family.code).glob("*.*"):
            shutil.copy(file, folder)
        if family.code == "tokenizer":
            (folder / "tokenizer.json").unlink()
    if family.code == "model":
        _write_own_model(folder, dict(family.shape), VOCABULARY)
        return
    random_model(family.model_type, family.shape, vocab_size=VOCABULARY).save_pretrained(folder)


def byte_tokenizer() -> Any:
    """Return a tokenizer with a token for each byte, padding, beginning and end."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(["<pad>", "<s>", "</s>", *alphabet])}
    backend = Tokenizer(models.BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


def _write_own_model(folder: Path, shape: dict[str, Any], vocabulary: int) -> None:
    """Write the config and random weights of a model whose code is in `folder`."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    content = {
        "model_type": "btlm",
        "auto_map": {
            "AutoConfig": "modeling_btlm.BTLMConfig",
            "AutoModelForCausalLM": "modeling_btlm.BTLMLMHeadModel",
        },
        "vocab_size": vocabulary,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        **shape,
    }
    (folder / "config.json").write_text(json.dumps(content))
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    AutoModelForCausalLM.from_config(config, trust_remote_code=True).save_pretrained(folder)
