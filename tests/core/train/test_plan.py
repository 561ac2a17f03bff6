from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ft_core.config import Config, ConfigError, load_config
from ft_core.errors import LaunchError, ModelError
from ft_core.models import skeleton
from ft_core.models.hardware import Device, Hardware
from ft_core.train import make_plan

GIB = 1024**3
CPU = Hardware("cpu", (), 8, 16 * GIB, 8 * GIB)
A100 = Hardware("cuda", (Device("A100", 40 * GIB, 39 * GIB, (8, 0)),), 8, 64 * GIB, 60 * GIB)
SMALL = Hardware("cuda", (Device("Small", GIB // 2, GIB // 2, (8, 0)),), 8, 64 * GIB, 60 * GIB)


class Usage(NamedTuple):
    """What shutil.disk_usage returns."""

    total: int
    used: int
    free: int


@pytest.fixture(autouse=True)
def known_machine(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs_root: Path) -> None:
    """Give the disk room, the processor a rate, and the cache of outlines nothing."""
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(100 * GIB, 40 * GIB, 60 * GIB))
    monkeypatch.setattr("ft_core.train.duration._core_rate", lambda: 1e11)
    monkeypatch.setattr("psutil.cpu_count", lambda logical: 4)
    monkeypatch.setenv("FT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let this process, which has torch, answer for the one that builds models, and note which it was asked for."""
    asked: list[str] = []

    def answer(folder: Path, *, trust_remote_code: bool) -> dict[str, Any]:
        asked.append(folder.name)
        return json.loads(json.dumps(skeleton.main(str(folder), trust_remote_code=trust_remote_code)))

    monkeypatch.setattr(skeleton, "_ask_child", answer)
    return asked


def without_weights(folder: Path, model_type: str, **keys: Any) -> Path:
    """Make a model folder that has a config and an empty file of weights."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": model_type, **keys}))
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    return folder


def test_a_plan_in_figures(make_config: Callable[..., Config], tiny_model: Path) -> None:
    config = make_config(max_steps=..., num_epochs=2, val_set_size=2, gradient_accumulation_steps=2, lora_r=8)
    plan = make_plan(config, world_size=2, hardware=A100)
    assert (plan.model, plan.method) == (str(tiny_model), "LoRA r=8 on all-linear")
    assert (plan.parameters, plan.trainable) == (3_236_160, 16_384)
    assert (plan.train_rows, plan.eval_rows, plan.sequence_len) == (10, 2, 64)
    assert (plan.world_size, plan.global_batch, plan.steps, plan.steps_exact, plan.epochs) == (
        2,
        8,
        4,
        False,
        2.0,
    )
    assert (plan.device, plan.precision, plan.attention) == ("A100", "fp32", "sdpa")
    assert (plan.device_memory, plan.disk_free, plan.checkpoint) == (40 * GIB, 60 * GIB, 16_384 * 12)
    assert (plan.tokens, plan.tokens_measured, plan.longest_row, plan.trainable_exact) == (
        91,
        True,
        16,
        False,
    )
    assert json.loads(json.dumps(plan.to_dict()))["trainable"] == 16_384


def test_a_plan_in_lines(make_config: Callable[..., Config], tiny_model: Path) -> None:
    lines = make_plan(make_config(max_steps=3), hardware=CPU).render().splitlines()
    assert lines == [
        f"model      {tiny_model}",
        "trains     LoRA r=8 on all-linear (about 16,384 of 3,236,160 parameters, 0.51%)",
        "rows       12 (up to 64 tokens each)",
        "tokens     about 110 an epoch (by a sample of the rows)",
        "steps      3 (2 rows a step, 0.5 epochs)",
        "device     CPU, 8 cores",
        "precision  fp32 (neither bf16 nor fp16 is on)",
        "attention  sdpa (torch's own fused attention, and no package beyond torch)",
        "memory     about 536 MiB of 16.0 GiB (estimate, within about 25 %, for rows of 16 tokens)",
        "time       about 10 s (rough: half to double)",
        "disk       under 1 MiB a checkpoint (60.0 GiB free)",
    ]


def test_an_exact_plan_builds_the_model_once_and_says_so(
    make_config: Callable[..., Config], child: list[str]
) -> None:
    waits: list[str] = []
    plans = [make_plan(make_config(), hardware=CPU, exact=True, on_wait=waits.append) for _ in range(2)]
    assert (child, len(waits)) == (["tiny-llama"], 1)
    assert plans[0] == plans[1]
    assert (plans[0].trainable, plans[0].trainable_exact) == (16_384, True)
    assert plans[0].render().splitlines()[1] == (
        "trains     LoRA r=8 on all-linear (16,384 of 3,236,160 parameters, 0.51%)"
    )
    # What was built once is known to every later plan.
    assert make_plan(make_config(lora_r=4), hardware=CPU).trainable_exact
    assert len(child) == 1


def test_names_that_the_files_have_need_no_model(
    make_config: Callable[..., Config], child: list[str]
) -> None:
    make_plan(make_config(lora_target_modules=["q_proj", "mlp.up_proj"]), hardware=CPU)
    assert child == []


def test_a_name_that_the_model_does_not_have_is_an_error_at_its_line(
    tiny_model: Path, rows: Path, child: list[str]
) -> None:
    text = (
        f"base_model: {tiny_model}\nlearning_rate: 1e-3\nadapter: lora\nlora_target_modules:\n  - q_proj\n  - vproj\n"
        f"datasets: [{{path: {rows}, type: completion}}]\n"
    )
    with pytest.raises(ConfigError) as raised:
        make_plan(load_config(text, first_line=2), hardware=CPU)
    assert child == ["tiny-llama"]
    assert str(raised.value).splitlines() == [
        (
            "line 7, column 5: 'lora_target_modules' names 'vproj', which this model does not have; "
            "did you mean 'v_proj' or 'q_proj'?"
        ),
        "      - vproj",
        "        ^",
        (
            "fix: its linear layers are: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj; "
            "or write 'lora_target_linear: true' for all of them"
        ),
    ]


def test_a_name_that_cannot_be_looked_for_is_a_warning(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skeleton, "_ask_child", lambda folder, **_: {})
    (warning,) = make_plan(make_config(lora_target_modules=["q_proj", "nix"]), hardware=CPU).warnings
    assert (warning.severity, warning.message) == (
        "warning",
        "'lora_target_modules' names 'nix', which this model does not have",
    )


def test_a_model_that_has_no_weights_here_is_known_by_its_config(
    make_config: Callable[..., Config], tmp_path: Path, child: list[str]
) -> None:
    folder = without_weights(tmp_path / "gpt2", "gpt2", n_embd=32, n_layer=2, n_head=4, vocab_size=100)
    plan = make_plan(make_config(base_model=str(folder), lora_r=4), hardware=CPU, exact=True)
    # c_attn, c_proj, c_fc and c_proj of two layers
    assert plan.trainable == 2 * 4 * ((32 + 96) + (32 + 32) + (32 + 128) + (128 + 32))


def test_rows_longer_than_the_table_of_positions_stop_the_plan(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    folder = without_weights(tmp_path / "gpt2", "gpt2", n_positions=32, n_embd=32)
    with pytest.raises(ConfigError, match="'sequence_len' is 64, and this model has 32 positions"):
        make_plan(make_config(base_model=str(folder)), hardware=CPU)


def test_rows_longer_than_the_model_was_trained_on_are_a_warning(make_config: Callable[..., Config]) -> None:
    (warning,) = make_plan(make_config(sequence_len=1024), hardware=CPU).warnings
    assert warning.message.startswith("'sequence_len' is 1024, and this model was trained on 512 positions")


def test_texts_that_are_cut_give_more_steps(make_config: Callable[..., Config]) -> None:
    config = make_config(sequence_len=4, max_steps=..., num_epochs=1)
    assert make_plan(config, hardware=CPU).steps == 15  # 12 texts in about 30 windows of 4 tokens, 2 a step


def test_steps_are_certain_only_where_they_are_set(make_config: Callable[..., Config]) -> None:
    line = make_plan(make_config(max_steps=..., num_epochs=1), hardware=CPU).render().splitlines()[4]
    assert line == "steps      about 6 (2 rows a step, 1 epoch)"


def test_a_full_fine_tune_trains_everything_and_needs_more(make_config: Callable[..., Config]) -> None:
    lora, full = (make_plan(make_config(adapter=adapter), hardware=CPU) for adapter in ("lora", ...))
    assert (full.method, full.trainable) == ("full fine-tune", 3_219_776)
    assert full.memory is not None
    assert lora.memory is not None
    # Two moments in fp32 beside the weights, and 8 more bytes kept for each of the 64 numbers of 32 tokens in 2 layers. The
    # memory is fullest at the logits, where the head's gradient is there already, with what a chunk of them adds to it.
    of_layers, of_head = 2 * 32 * 64 * 8, 49_152 * 64 * 12
    expected = 3_219_776 * 8 - 16_384 * 12 + 1.3 * (of_layers + of_head)
    assert full.memory - lora.memory == pytest.approx(expected, abs=2)


def test_an_estimate_says_how_far_off_it_may_be(make_config: Callable[..., Config]) -> None:
    basis = {
        hardware.kind: make_plan(make_config(), hardware=hardware).memory_basis for hardware in (CPU, A100)
    }
    assert basis == {"cpu": "within about 25 %", "cuda": "its error on this kind of device is not measured"}


def test_memory_that_is_not_there_is_a_warning_with_a_fix(make_config: Callable[..., Config]) -> None:
    plan = make_plan(make_config(micro_batch_size=4), hardware=SMALL)
    (warning,) = plan.warnings
    assert warning.message.endswith("(estimate) and the device has 512 MiB.")
    assert warning.fix.startswith("Set micro_batch_size: 2 (now 4) and gradient_accumulation_steps: 2")
    assert "warning: This needs about" in plan.render()


def test_what_a_gpu_has_no_room_for_is_computed_again(make_config: Callable[..., Config]) -> None:
    roomy, tight = (
        make_plan(make_config(adapter="lora", **keys), hardware=A100)
        for keys in ({}, {"gradient_checkpointing": True})
    )
    assert (roomy.recompute, roomy.recompute_reason) == ("", "all fits")
    assert (roomy.fused, roomy.fused_reason) == (
        "computed in one step with all layers",
        "the same results in less memory",
    )
    assert (tight.recompute, tight.recompute_reason) == (
        "computed again in all 2 layers",
        "'gradient_checkpointing' in the config",
    )
    assert "activations  computed again in all 2 layers ('gradient_checkpointing' in the config)" in (
        tight.render().splitlines()
    )


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"micro_batch_size": 16}, "One step takes 16 rows and there are 12"),
        ({"num_epochs": 3}, "'num_epochs' has no effect"),  # the config's own warnings are the plan's too
    ],
)
def test_warnings(keys: dict[str, Any], message: str, make_config: Callable[..., Config]) -> None:
    assert any(
        warning.message.startswith(message)
        for warning in make_plan(make_config(**keys), hardware=CPU).warnings
    )


def test_a_gpu_that_torch_cannot_use_is_a_warning(make_config: Callable[..., Config]) -> None:
    hardware = Hardware("cpu", (), 8, 16 * GIB, 8 * GIB, note="A GPU is there, but torch cannot use it.")
    assert [warning.message for warning in make_plan(make_config(), hardware=hardware).warnings] == [
        hardware.note
    ]


def test_a_base_model_that_is_not_there(make_config: Callable[..., Config], tiny_model: Path) -> None:
    config = make_config().model_copy(update={"base_model": str(tiny_model.with_name("nowhere"))})
    with pytest.raises(ModelError, match="does not exist"):
        make_plan(config, hardware=CPU)


def test_a_disk_that_cannot_hold_a_checkpoint(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(GIB, GIB, 1024**2))
    with pytest.raises(LaunchError) as raised:
        make_plan(make_config(adapter=...), hardware=CPU, root=tmp_path / "not" / "there" / "yet")
    assert raised.value.message.startswith(
        f"The disk of {tmp_path / 'not' / 'there' / 'yet'} has 1 MiB free, and this run writes about 74 MiB"
    )


def test_a_plan_imports_no_torch_and_takes_under_a_second(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(make_config().to_yaml(absolute_paths=True))
    code = (
        "import sys, pathlib; from ft_core.config import load_config; from ft_core.train import make_plan;"
        f"make_plan(load_config(pathlib.Path({str(tmp_path / 'config.yaml')!r})));"
        "sys.exit(bool({'torch', 'transformers', 'datasets', 'peft'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    begun = time.process_time()
    make_plan(make_config())
    assert time.process_time() - begun < 1


def test_broken_rows_are_told(make_config: Callable[..., Config], tmp_path: Path) -> None:
    file = tmp_path / "some.jsonl"
    file.write_text('{"text": "one"}\nbroken\n' + '{"text": "two"}\n' * 9)
    config = make_config(datasets=[{"path": str(file), "type": "completion"}], broken_rows="skip")
    [warning] = make_plan(config, hardware=CPU).warnings
    assert warning.message.startswith("Of the first rows, 1 broken row is left out (broken_rows is skip): ")
    assert warning.message.endswith("some.jsonl line 2: not valid JSON (expected value at column 1).")


def test_a_stop_token_that_will_not_be_trained_is_told(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    file = tmp_path / "chats.jsonl"
    file.write_text(
        '{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]}\n'
    )
    chats = [{"path": str(file), "type": "chat_template"}]
    silent = "{% for m in messages %}[{{ m.role }}] {{ m.content }}<|endoftext|>{% endfor %}"

    config = make_config(datasets=chats, chat_template_jinja=silent, micro_batch_size=1)
    [warning] = make_plan(config, hardware=CPU).warnings
    assert warning.message == (
        "The chat template never writes '<|im_end|>', so the model does not learn to end its turn"
    )
    assert warning.fix == "set eot_tokens to ['<|endoftext|>']"

    words = make_config(datasets=chats, chat_template_jinja=f"{silent}two words", eot_tokens=["two words"])
    with pytest.raises(ConfigError) as raised:
        make_plan(words, hardware=CPU)
    assert raised.value.message == "eot_tokens: 'two words' is 2 tokens for this tokenizer, not one"
