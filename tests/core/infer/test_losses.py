"""The loss of each token of a sample, from a model and through a chat."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from ft_core.errors import ModelError
from ft_core.infer import Chat, losses
from ft_core.infer.losses import token_losses
from ft_core.infer.protocol import pack_floats, unpack_floats
from ft_core.runs import Run

IDS = [5, 9, 9, 3, 7, 1, 2, 8, 8, 4, 6, 0, 3, 3, 9, 1, 5, 2, 7, 7, 4]
SMALL = {
    "vocab_size": 50, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip


def never() -> bool:
    return False


def by_hand(model: Any, ids: list[int]) -> NDArray[np.float64]:
    """Return the cross entropy of each token out of all logits at once, in numpy."""
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0].double().numpy()
    top = logits.max(-1, keepdims=True)
    log_sum = np.log(np.exp(logits - top).sum(-1)) + top[:, 0]
    return log_sum[:-1] - logits[np.arange(len(ids) - 1), ids[1:]]


def build(family: str, **keys: Any) -> Any:
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, **{**SMALL, **keys})
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


@pytest.mark.model
def test_the_real_model(demo_model: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(demo_model, dtype=torch.float32).eval()
    text = "Money, n. A blessing that is of no advantage to us excepting when we part with it."
    ids = AutoTokenizer.from_pretrained(demo_model)(text)["input_ids"]
    found = token_losses(model, ids, cancelled=never)
    assert found is not None
    assert (found.dtype, found.shape) == (np.float32, (len(ids),))
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1:], by_hand(model, ids), rtol=1e-5, atol=1e-5)
    # What a training step computes of the same tokens, all of them trained.
    with torch.inference_mode():
        loss = model(torch.tensor([ids]), labels=torch.tensor([ids])).loss
    assert found[1:].mean() == pytest.approx(float(loss), rel=1e-6)


FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {"sliding_window": 4},
    "gemma2": {"sliding_window": 4, "head_dim": 8, "final_logit_softcapping": 2.0},
    "gemma3_text": {"sliding_window": 4, "head_dim": 8},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64},
    "cohere": {"logit_scale": 0.3},
    "qwen3": {"head_dim": 8},
    "opt": {"word_embed_proj_dim": 32, "ffn_dim": 64},
    "mamba2": {"num_heads": 4, "head_dim": 16, "state_size": 8, "n_groups": 1},
    "jamba": {"num_experts": 2, "attn_layer_period": 2, "attn_layer_offset": 1, "use_mamba_kernels": False},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_parts_give_what_the_whole_does(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(family, **FAMILIES[family])
    expected = by_hand(model, IDS)
    assert expected.std() > 0
    sizes: list[int] = []
    model.register_forward_hook(lambda _, __, output: sizes.append(output.logits.numel()))
    for logits in (2**26, 7 * 50, 50, 1):
        monkeypatch.setattr(losses, "LOGITS", logits)
        sizes.clear()
        found = token_losses(model, IDS, cancelled=never)
        assert found is not None
        np.testing.assert_allclose(found[1:], expected, rtol=1e-4, atol=1e-5)
        assert max(sizes) <= max(logits, 50)


@pytest.mark.parametrize("ids", [[], [3]])
def test_nothing_foresees_the_first_token(ids: list[int]) -> None:
    found = token_losses(build("llama"), ids, cancelled=never)
    assert found is not None
    assert found.tolist() == pytest.approx([float("nan")] * len(ids), nan_ok=True)


def test_a_long_sample_may_be_cancelled_between_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "LOGITS", 5 * 50)
    model = build("llama")
    calls: list[bool] = []
    model.register_forward_hook(lambda *_: calls.append(True))
    assert token_losses(model, IDS, cancelled=lambda: len(calls) == 2) is None
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1] * 65, "The sample is 65 tokens long, and the model reads at most 64."),
        ([1, 50], "The sample holds the id 50, and the model's vocabulary has 50 tokens."),
        ([1, -1], "The sample holds the id -1, and the model's vocabulary has 50 tokens."),
    ],
)
def test_a_sample_that_does_not_fit_the_model(ids: list[int], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        token_losses(build("llama"), ids, cancelled=never)
    assert caught.value.message == message
    assert caught.value.fix.endswith(".")


def test_floats_come_back_as_they_went() -> None:
    values = np.array([np.nan, 0.1, np.inf, -3e-45], np.float32)
    assert unpack_floats(pack_floats(values)).tobytes() == values.tobytes()


@pytest.fixture(scope="module")
def reference(adapter_run: Run, tiny_model: Path) -> Callable[[str], NDArray[np.float64]]:
    """Return the losses of `IDS` by the tuned model or its base, in this process."""
    from peft import PeftModel

    def measure(which: str) -> NDArray[np.float64]:
        model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
        return by_hand(
            PeftModel.from_pretrained(model, adapter_run.final) if which == "tuned" else model, IDS
        )

    return measure


def test_a_chat_measures_the_tuned_model_and_its_base(
    adapter_chat: Chat, reference: Callable[[str], NDArray[np.float64]]
) -> None:
    tuned, base = (adapter_chat.token_losses(IDS, which=which) for which in ("tuned", "base"))
    np.testing.assert_allclose(tuned[1:], reference("tuned"), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(base[1:], reference("base"), rtol=1e-4, atol=1e-5)
    assert np.abs(tuned[1:] - base[1:]).max() > 0.01
    assert np.isnan(tuned[0])
    assert adapter_chat.token_losses(np.array(IDS, np.int32)).tobytes() == tuned.tobytes()
    assert adapter_chat.status == "ready"


def test_what_a_chat_cannot_measure_leaves_it_of_use(adapter_chat: Chat) -> None:
    with pytest.raises(ModelError, match="reads at most 512"):
        adapter_chat.token_losses([1] * 513)
    with pytest.raises(ModelError, match="no 'other' model"):
        adapter_chat.token_losses(IDS, which="other")  # type: ignore[arg-type]
    assert len(adapter_chat.token_losses(IDS)) == len(IDS)
    assert adapter_chat.ask("Hi", max_new_tokens=2) != ""


def test_a_request_that_waits_may_be_cancelled(adapter_chat: Chat) -> None:
    answer = adapter_chat.stream([{"role": "user", "content": "Hi"}], temperature=0, max_new_tokens=400)
    next(answer)
    refused: list[ModelError] = []

    def measure() -> None:
        try:
            adapter_chat.token_losses(IDS)
        except ModelError as error:
            refused.append(error)

    asking = threading.Thread(target=measure)
    asking.start()
    # The answer goes on until it is cancelled, and what was asked for after it with it.
    while len(adapter_chat._connection._waiting) < 2:
        threading.Event().wait(0.001)
    adapter_chat.cancel()
    asking.join(60)
    assert [error.message for error in refused] == ["The losses are not wanted any more."]
    assert len(adapter_chat.token_losses(IDS)) == len(IDS)


def test_a_closed_chat_measures_nothing_and_its_process_is_gone(adapter_run: Run) -> None:
    chat = Chat(adapter_run)
    assert len(chat.token_losses(IDS)) == len(IDS)
    process = chat._connection._process
    chat.close()
    assert process.poll() == 0
    with pytest.raises(ModelError, match="This chat is closed"):
        chat.token_losses(IDS)
