"""What a step of LoRA on packed rows takes: `python tests/benchmarks/step.py [1B] [8B]`.

Random Llamas of the shapes of Llama-3.2-1B and Llama-3.1-8B, an adapter of rank 16 on all linear layers, bf16, rows of 4,096
tokens packed from documents of lognormal length (mean 350). Each line is a process of its own that takes the same steps on
the same tokens, every one of them trained unless the line says otherwise:

* ``before``: attention by sdpa over a mask of documents, and the loss from the logits of all positions in fp32, as
  accelerate hands them over;
* ``logits``: the loss within the head (`ft_core.train.targets`);
* ``both``: that, and attention over documents by torch's own kernel (`ft_core.models.varlen`);
* ``fused``: that, and adapted layers as fused steps (`ft_core.models.fused`);
* ``norms``: that, and norms and rotary positions by Liger's kernels;
* ``compiled``: ``both``, each layer compiled by ``torch.compile``; ``all``: ``fused``, compiled.

Printed are tokens a second, padding not counted (the median of the steps after the third), the most memory that torch held,
and the losses of the first and of the last step. Takes some four minutes on an H100; without an NVIDIA GPU, a tiny model goes
through all but the kernel.
"""

from __future__ import annotations

import contextlib
import functools
import json
import multiprocessing
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from ft_core.data import Sample
from ft_core.data.collate import PackCollator
from ft_core.data.packing import pack
from ft_core.models.fused.choose import PARTS
from ft_core.models.fused.fuse import fuse
from ft_core.train.isolation import model_inputs
from ft_core.train.loss import count_targets, summed_loss
from ft_core.train.targets import find_head, target_loss

SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "vocab_size": 4096},
    "1B": {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
           "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": True, "rope_theta": 500000.0},
    "8B": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
           "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": False, "rope_theta": 500000.0},
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Steps to measure.

    Attributes
    ----------
    shape
        The model's.
    rows
        Packed rows of a step.
    paths
        One of those above.
    recompute
        The share of the layers that are computed again in the backward pass.
    trained
        The share of a document that is trained: its end.
    length, steps
        Tokens of a row, and how many steps.
    """

    shape: str
    rows: int
    paths: str
    recompute: float = 0.0
    trained: float = 1.0
    length: int = 4096
    steps: int = 10


CASES = {
    "1B": [
        *(
            Case("1B", 4, paths)
            for paths in ("before", "logits", "both", "fused", "norms", "compiled", "all")
        ),
        *(Case("1B", 4, paths, trained=0.3) for paths in ("before", "both")),
    ],
    "8B": [
        *(
            Case("8B", 2, paths, recompute=1.0)
            for paths in ("before", "logits", "both", "fused", "norms", "compiled")
        ),
        *(Case("8B", 2, paths) for paths in ("both", "fused", "norms", "compiled", "all")),
        Case("8B", 2, "norms", recompute=0.5),
    ],
    "tiny": [
        Case("tiny", 2, paths, recompute, trained, length=256, steps=4)
        for paths, recompute, trained in (
            ("before", 0.0, 1.0),
            ("logits", 0.0, 1.0),
            ("before", 1.0, 0.3),
            ("logits", 0.5, 0.3),
            ("fused", 0.0, 0.3),
        )
    ],
}


def batches(case: Case) -> list[dict[str, torch.Tensor]]:
    """Return the packed rows of each step."""
    random = np.random.default_rng(0)
    needed = case.steps * case.rows * case.length
    lengths = np.clip(random.lognormal(np.log(350) - 0.5, 1.0, needed // 200), 16, case.length).astype(int)
    vocabulary = SHAPES[case.shape]["vocab_size"]

    def sample(length: int) -> Sample:
        ids = random.integers(3, vocabulary, length)
        labels = ids.copy()
        labels[: round(length * (1 - case.trained))] = -100
        return Sample(ids, labels, (), 0, "")

    samples = [sample(int(length)) for length in lengths]
    bins = pack(lengths, case.length).bins[: case.steps * case.rows]
    rows = [[samples[int(index)] for index in each] for each in bins]
    collate = PackCollator(pad_token_id=0, length=case.length)
    return [collate(rows[start : start + case.rows]) for start in range(0, len(rows), case.rows)]


def adapted_model(case: Case, attention: str, device: torch.device) -> Any:
    """Return a random Llama with an adapter, as a run has it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, LlamaConfig

    torch.manual_seed(0)
    shape = LlamaConfig(**SHAPES[case.shape], max_position_embeddings=8192)
    with device:
        base = AutoModelForCausalLM.from_config(shape, attn_implementation=attention, dtype=torch.bfloat16)
    base.config.use_cache = False
    if case.recompute:
        base.gradient_checkpointing_enable({"use_reentrant": False})
        base.enable_input_require_grads()
        for layer in base.model.layers[round(case.recompute * len(base.model.layers)) :]:
            layer.gradient_checkpointing = False
    adapter = LoraConfig(r=16, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(base, adapter).train()
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    if case.paths in ("fused", "norms", "all"):
        fuse(model, PARTS)
    if case.paths == "norms":
        from liger_kernel.transformers import _apply_liger_kernel_to_instance

        _apply_liger_kernel_to_instance(
            base,
            rope=True,
            rms_norm=True,
            swiglu=False,
            cross_entropy=False,
            fused_linear_cross_entropy=False,
        )
    if case.paths in ("compiled", "all"):
        for layer in base.model.layers:
            layer.compile()
    return model


def measure(case: Case) -> None:
    """Take the steps of a case, and print what they took."""
    from accelerate.utils import convert_outputs_to_fp32

    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    by: Any = "positions"
    if case.paths not in ("before", "logits") and cuda:
        from ft_core.models.varlen import register

        register()
        by = "varlen"
    model = adapted_model(case, "varlen" if by == "varlen" else "sdpa", device)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-4, fused=cuda)
    # As accelerate wraps a model's forward pass.
    computing = torch.autocast(device.type, torch.bfloat16) if cuda else contextlib.nullcontext()
    call = convert_outputs_to_fp32(computing(model.forward)) if cuda else model.forward
    head = None if case.paths == "before" else find_head(model, model)
    steps = batches(case)
    losses, seconds, tokens = [], [], []
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    for batch in steps:
        if cuda:
            torch.cuda.synchronize()
        started = time.perf_counter()
        inputs = model_inputs(batch, "varlen") if by == "varlen" else batch
        inputs = {name: each.to(device) if torch.is_tensor(each) else each for name, each in inputs.items()}
        inputs = model_inputs(inputs, by)
        labels = inputs.pop("labels")
        targets = count_targets(labels)
        bound = functools.partial(call, **inputs)
        summed = summed_loss(bound().logits, labels) if head is None else target_loss(head, bound, labels)
        (summed / targets).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append((summed / targets).item())
        seconds.append(time.perf_counter() - started)
        tokens.append(int((batch["document_ids"] > 0).sum()))
    speed = statistics.median(count / second for count, second in zip(tokens[3:], seconds[3:], strict=True))
    peak = torch.cuda.max_memory_allocated() / 1024**3 if cuda else None
    figures = {"tokens_per_second": round(speed), "peak_gib": peak and round(peak, 2)}
    print(json.dumps(asdict(case) | figures | {"first": losses[0], "last": losses[-1]}), flush=True)


def main() -> None:
    """Measure the cases of the shapes named as arguments."""
    names = sys.argv[1:] or (["1B", "8B"] if torch.cuda.is_available() else ["tiny"])
    if torch.cuda.is_available():
        print(torch.cuda.get_device_name(), "torch", torch.__version__)
    context = multiprocessing.get_context("spawn")
    for case in (case for name in names for case in CASES[name]):
        process = context.Process(target=measure, args=(case,))
        process.start()
        process.join()
        if process.exitcode:
            print(json.dumps(asdict(case) | {"failed": process.exitcode}), flush=True)


if __name__ == "__main__":
    main()
