"""The classes of model and tokenizer, and where the model lies."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "overrides_of_model_config: {torch_dtype: bfloat16}",
        4,
        29,
        "'overrides_of_model_config' cannot hold 'torch_dtype': 'bf16', 'fp16' or neither decides it",
        "remove the entry",
        "overrides_of_model_config: {attention_dropout: 0.1}",
    ),
    (
        "overrides_of_model_kwargs: {device_map: auto}",
        4,
        29,
        "'overrides_of_model_kwargs' cannot hold 'device_map': the whole model is on each device",
        "remove the entry",
        "overrides_of_model_kwargs: {use_safetensors: true}",
    ),
    (
        "reinit_weights: true\nadapter: lora",
        4,
        1,
        "'reinit_weights' makes all weights new, and 'adapter' leaves them as they are",
        "remove one of the two",
        "reinit_weights: true",
    ),
    (
        "model_type: llama",
        4,
        13,
        "'model_type' cannot be 'llama'",
        "remove the line, or write 'AutoModelForCausalLM'",
        "model_type: AutoModelForCausalLM",
    ),
    (
        "tokenizer_type: LlamaForMaskedLM",
        4,
        17,
        "'tokenizer_type' cannot be 'LlamaForMaskedLM'",
        "remove the line, or write 'AutoTokenizer'",
        "tokenizer_type: AutoTokenizer",
    ),
    (
        "tokenizer_type: x y",
        4,
        17,
        "'tokenizer_type' cannot be 'x y'",
        "remove the line, or write 'AutoTokenizer'",
        "tokenizer_type: AutoTokenizer",
    ),
    (
        "gpu_memory_limit: 20GiB\nmax_memory: {cpu: 64GiB}",
        4,
        1,
        "'gpu_memory_limit' and 'max_memory' both say how much memory the weights may take",
        "remove one of the two",
        "max_memory: {cpu: 64GiB}",
    ),
    (
        "tokenizer_use_mistral_common: true\nchat_template: chatml",
        5,
        1,
        "'chat_template' has no place beside 'tokenizer_use_mistral_common': that tokenizer cannot be changed",
        "remove one of the two",
        "chat_template: chatml",
    ),
    (
        "tokenizer_use_mistral_common: true\ntokens: [<a>]",
        5,
        1,
        "'tokens' has no place beside 'tokenizer_use_mistral_common': that tokenizer cannot be changed",
        "remove one of the two",
        "tokenizer_use_mistral_common: true",
    ),
]

WARNINGS = [
    (
        "overrides_of_model_config: {output_router_logits: true}",
        4,
        29,
        "'output_router_logits' in 'overrides_of_model_config' has no effect: the loss is that of the tokens alone",
        "remove the entry",
        "overrides_of_model_config: {router_aux_loss_coef: 0.1}",
    ),
    (
        "model_type: LlamaForCausalLM",
        4,
        1,
        "'model_type: LlamaForCausalLM' has no effect: the class that the checkpoint names is used",
        "remove the line",
        "model_type: AutoModelForCausalLM",
    ),
    (
        "tokenizer_type: LlamaTokenizerFast",
        4,
        1,
        "'tokenizer_type: LlamaTokenizerFast' has no effect: the class that the checkpoint names is used",
        "remove the line",
        "tokenizer_type: AutoTokenizer",
    ),
]

UNSUPPORTED = [
    (
        "model_type: AutoModelForSequenceClassification",
        4,
        13,
        "'model_type' cannot be 'AutoModelForSequenceClassification': it is not supported yet",
        "remove the line, or write 'AutoModelForCausalLM'",
        "model_type: AutoModelForCausalLM",
    ),
    (
        "model_type: MambaLMHeadModel",
        4,
        13,
        "'model_type' cannot be 'MambaLMHeadModel': it is not supported yet",
        "remove the line, or write 'AutoModelForCausalLM'",
        "model_type: AutoModelForCausalLM",
    ),
]


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), ERRORS)
def test_what_is_refused(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("error", line, column, message, fix)]
    assert found(neighbour) == []


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), WARNINGS)
def test_what_is_doubtful(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("warning", line, column, message, fix)]
    assert found(neighbour) == []


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), UNSUPPORTED)
def test_what_is_not_supported_yet(errors, required, lines, line, column, message, fix, neighbour):
    assert errors(required + lines) == [(line, column, message, fix)]
