"""What a kind of device cannot do, and fp16 with the gradient scaler that old GPUs need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ft_core.config import Config
from ft_core.errors import ModelError
from ft_core.models import apply_adapter, load_model
from ft_core.models.devices import check_device
from ft_core.models.hardware import Device, Hardware

GIB = 1024**3
CPU = Hardware("cpu", (), 8, 16 * GIB, 8 * GIB)
T4 = Hardware("cuda", (Device("Tesla T4", 15 * GIB, 15 * GIB, (7, 5)),), 8, 16 * GIB, 8 * GIB)
MPS = Hardware("mps", (Device("Apple GPU", 16 * GIB, 8 * GIB),), 8, 16 * GIB, 8 * GIB)
FEW_BITS = "cannot be used on an Apple GPU, which has no kernels for weights in few bits"
NO_OPTIMIZERS = "cannot be used on an Apple GPU, for which bitsandbytes has no optimizers"


@pytest.mark.parametrize(
    ("keys", "message", "fix"),
    [
        (
            {"adapter": "qlora", "load_in_4bit": True},
            f"'load_in_4bit: true' {FEW_BITS}.",
            "Remove 'load_in_4bit' and write 'adapter: lora'.",
        ),
        (
            {"adapter": "lora", "load_in_8bit": True},
            f"'load_in_8bit: true' {FEW_BITS}.",
            "Remove 'load_in_8bit' and write 'adapter: lora'.",
        ),
        (
            {"adapter": "lora", "gptq": True},
            f"'gptq: true' {FEW_BITS}.",
            "Remove 'gptq' and write 'adapter: lora'.",
        ),
        (
            {"optimizer": "paged_adamw_8bit"},
            f"'optimizer: paged_adamw_8bit' {NO_OPTIMIZERS}.",
            "Write 'optimizer: adamw_torch'.",
        ),
    ],
)
def test_what_an_apple_gpu_lacks_is_a_sentence(
    keys: dict[str, Any], message: str, fix: str, make_config: Callable[..., Config]
) -> None:
    config = make_config(**keys)
    with pytest.raises(ModelError) as raised:
        check_device(config, MPS)
    assert (raised.value.message, raised.value.fix) == (message, fix)
    check_device(config, CPU)
    check_device(config, T4)


@pytest.mark.parametrize("keys", [{"adapter": "lora"}, {"optimizer": "adamw_torch_fused"}])
def test_what_an_apple_gpu_has(keys: dict[str, Any], make_config: Callable[..., Config]) -> None:
    check_device(make_config(**keys), MPS)


@pytest.mark.parametrize(
    "keys",
    [
        {"adapter": "lora"},
        {"adapter": "lora", "peft_use_dora": True},
        {"adapter": "lora", "lora_modules_to_save": ["embed_tokens"], "lora_target_modules": ["q_proj"]},
        {"adapter": "lora", "peft_trainable_token_indices": [3, 4], "lora_target_modules": ["q_proj"]},
        {},
    ],
    ids=["lora", "dora", "modules to save", "token rows", "full"],
)
def test_a_step_in_fp16_with_a_gradient_scaler(
    keys: dict[str, Any], make_config: Callable[..., Config]
) -> None:
    """CORRECTNESS 19: what trains is fp32, or the scaler refuses its gradients, and a base that is frozen is fp16."""
    config = make_config(**keys)
    model: Any = load_model(config, hardware=T4)
    if config.adapter:
        torch.manual_seed(0)
        model = apply_adapter(model, config)
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    frozen = {weight.dtype for weight in model.parameters() if not weight.requires_grad}
    assert {weight.dtype for weight in trained.values()} == {torch.float32}
    assert frozen == ({torch.float16} if config.adapter else set())

    before = {name: weight.detach().clone() for name, weight in trained.items()}
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-2)
    # On a GPU this is what Trainer makes of 'fp16'; the scaler of the CPU works by the same rules.
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    ids = torch.tensor([[5, 900, 31, 7, 3, 4]])
    for _ in range(2):  # a fresh adapter's first matrix has no gradient in the first step
        with torch.autocast("cpu", dtype=torch.float16):
            logits = model(input_ids=ids).logits
        loss = torch.nn.functional.cross_entropy(logits[0, :-1].float(), ids[0, 1:])
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    assert logits.dtype == torch.float16
    assert scaler.get_scale() == 2.0**10  # nothing overflowed, so no step was left out
    for name, weight in trained.items():
        assert weight.isfinite().all()
        assert not weight.equal(before[name]), name
