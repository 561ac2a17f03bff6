"""Whole runs on the tiny model, trained in this process."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_core.config import Config
from ft_core.errors import ModelError
from ft_core.runs import Run, RunWriter, create_run

MakeConfig = Callable[..., Config]
Train = Callable[..., Run]
Events = Callable[[Run, str], list[dict[str, Any]]]


def at_step(monkeypatch: pytest.MonkeyPatch, step: int, act: Callable[[Run], None]) -> None:
    """Do something to the run right after the event of `step`, which comes before the end of the next step."""
    emit = RunWriter.emit

    def emit_and_act(self: RunWriter, type: str, **fields: Any) -> None:
        emit(self, type, **fields)
        if type == "step" and fields["step"] == step:
            act(Run(self.directory))

    monkeypatch.setattr(RunWriter, "emit", emit_and_act)


def test_a_run_tells_what_it_does(make_config: MakeConfig, train: Train, events: Events) -> None:
    run = train(make_config(logging_steps=2))
    assert run.state == "completed"
    assert [event["phase"] for event in events(run, "phase") if "done" not in event] == [
        "loading model",
        "tokenizing",
        "training",
        "saving",
    ]
    assert run.status().phase == "done"
    (data,) = events(run, "data")
    assert (data["train_samples"], data["eval_samples"], data["dropped"]) == (12, 0, {})
    (model,) = events(run, "model")
    assert (model["parameters"], model["trainable_parameters"]) == (3_236_160, 16_384)
    assert (model["dtype"], model["attention"]) == ("fp32", "sdpa")
    steps = events(run, "step")
    assert [(event["step"], event["total_steps"], event["epoch"]) for event in steps] == [
        (1, 3, 0.1667),
        (2, 3, 0.3333),
        (3, 3, 0.5),
    ]
    assert all(event["tokens_per_second"] > 0 and event["grad_norm"] > 0 for event in steps)
    assert steps[-1]["eta"] == 0
    assert steps[-1]["gpu_memory"] is None
    assert steps[-1]["loss"] < steps[0]["loss"]
    (end,) = events(run, "end")
    assert (end["state"], end["step"]) == ("completed", 3)


def test_the_tokens_of_an_epoch_are_those_of_the_data(
    make_config: MakeConfig, train: Train, events: Events
) -> None:
    run = train(make_config(max_steps=..., num_epochs=1, micro_batch_size=5))
    assert sum(event["tokens"] for event in events(run, "step")) == events(run, "data")[0]["train_tokens"]


def test_the_same_seed_is_the_same_run(make_config: MakeConfig, train: Train, events: Events) -> None:
    config = make_config(max_steps=2, lora_dropout=0.1)
    one, two = train(config), train(config)
    other = train(make_config(max_steps=2, lora_dropout=0.1, seed=7))
    losses = [[event["loss"] for event in events(run, "step")] for run in (one, two, other)]
    assert losses[0] == losses[1] != losses[2]


def test_the_adapter_loads_and_says_what_the_trainer_said(
    make_config: MakeConfig, train: Train, tiny_model: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run = train(make_config())
    assert json.loads((run.final / "adapter_config.json").read_text())["base_model_name_or_path"] == str(
        tiny_model
    )
    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model), run.final)
    assert any(weight.abs().sum() > 0 for name, weight in tuned.named_parameters() if "lora_B" in name)
    assert AutoTokenizer.from_pretrained(run.final).eos_token == "<|im_end|>"
    assert sorted(path.name for path in run.directory.iterdir() if path.name.startswith(".")) == []


def test_a_full_fine_tune_saves_a_model_in_the_format_it_computed_in(
    make_config: MakeConfig, train: Train, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    run = train(make_config(adapter=..., bf16=True, max_steps=1, output_dir=str(tmp_path / "out")))
    assert run.state == "completed"
    assert AutoModelForCausalLM.from_pretrained(run.final).dtype == torch.bfloat16
    assert (tmp_path / "out" / "model.safetensors").samefile(run.final / "model.safetensors")


def test_the_trained_template_goes_with_the_model(
    make_config: MakeConfig, train: Train, tmp_path: Path
) -> None:
    rows = tmp_path / "chats.jsonl"
    chat = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Yes."}]
    rows.write_text(json.dumps({"messages": chat}) + "\n")
    template = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{{ eos_token }}{% endfor %}"
    data = [{"path": str(rows), "type": "chat_template"}]
    run = train(make_config(datasets=data, chat_template="jinja", chat_template_jinja=template, max_steps=1))
    assert (run.final / "chat_template.jinja").read_text() == template


def test_stop_finishes_the_step_and_saves(
    make_config: MakeConfig, train: Train, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_step(monkeypatch, 2, Run.stop)
    run = train(make_config(max_steps=50, val_set_size=2))
    assert run.state == "stopped"
    assert [event["step"] for event in events(run, "step")] == [1, 2, 3]
    assert [event["path"] for event in events(run, "checkpoint")] == ["checkpoints/checkpoint-3"]
    assert (run.directory / "checkpoints" / "checkpoint-3" / "trainer_state.json").is_file()
    assert (run.final / "adapter_model.safetensors").is_file()
    assert events(run, "eval") == []  # stopping does not wait for an evaluation
    assert list((run.directory / "control").iterdir()) == []


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_stop(
    kind: signal.Signals,
    make_config: MakeConfig,
    train: Train,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = signal.getsignal(kind)
    at_step(monkeypatch, 1, lambda run: os.kill(os.getpid(), kind))
    run = train(make_config(max_steps=50))
    assert run.state == "stopped"
    assert events(run, "end")[0]["step"] == 2
    assert signal.getsignal(kind) is before


def test_a_stop_before_the_first_step_trains_nothing(
    make_config: MakeConfig, runs_root: Path, events: Events
) -> None:
    from ft_core.train.worker import main

    run = create_run(
        "early", config_text="", resolved_text=make_config().to_yaml(absolute_paths=True), plan={}
    )
    run.stop()
    assert main(run.directory) == 0
    assert (run.state, events(run, "step"), run.final.exists()) == ("stopped", [], False)


def test_a_checkpoint_on_request(
    make_config: MakeConfig, train: Train, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_step(monkeypatch, 1, Run.checkpoint)
    run = train(make_config(max_steps=4))
    assert run.state == "completed"
    assert [event["step"] for event in events(run, "checkpoint")] == [2]


def test_a_checkpoint_after_the_first_step(make_config: MakeConfig, train: Train, events: Events) -> None:
    run = train(make_config(max_steps=3, save_first_step=True))
    assert [event["step"] for event in events(run, "checkpoint")] == [1]


def test_a_checkpoint_by_a_file_in_the_output_folder(
    make_config: MakeConfig, train: Train, events: Events, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trigger = tmp_path / "out" / "now"
    trigger.parent.mkdir()
    at_step(monkeypatch, 1, lambda _: trigger.touch())
    asked = {"enabled": True, "check_interval": 3, "trigger_file_path": "now"}
    run = train(make_config(max_steps=5, dynamic_checkpoint=asked, output_dir=str(trigger.parent)))
    assert [event["step"] for event in events(run, "checkpoint")] == [3]
    assert not trigger.exists()


def test_checkpoints_of_weights_alone_are_small_and_no_run_goes_on_from_them(
    make_config: MakeConfig, train: Train
) -> None:
    run = train(make_config(max_steps=1, save_strategy="epoch", save_only_model=True))
    checkpoint = run.directory / "checkpoints" / "checkpoint-1"
    names = {path.name for path in checkpoint.iterdir()}
    assert "adapter_model.safetensors" in names
    assert not names & {"optimizer.pt", "scheduler.pt", "rng_state.pth"}
    rest = train(make_config(max_steps=2, resume_from_checkpoint=str(checkpoint)))
    assert rest.error is not None
    assert rest.error.message == (
        f"'{checkpoint}' does not hold the optimizer's state, so training cannot go on from it."
    )


def test_an_evaluation_before_the_first_step(make_config: MakeConfig, train: Train, events: Events) -> None:
    run = train(make_config(max_steps=1, val_set_size=4, eval_on_start=True))
    kinds = [event["type"] for event in run.events()[0] if event["type"] in ("step", "eval")]
    assert kinds == ["eval", "step", "eval"]
    assert [event["step"] for event in events(run, "eval")] == [0, 1]


@pytest.mark.parametrize(("every", "collected"), [(2, [2, 4]), (-1, [3, 6]), (0, []), (None, [])])
def test_the_garbage_collector_runs_when_it_is_told(
    every: int | None, collected: list[int], make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ft_core.train.callbacks import RunCallback
    from ft_core.train.interrupts import Interrupts

    steps: list[int] = []
    state: Any = type("State", (), {"global_step": 0})
    monkeypatch.setattr("ft_core.train.callbacks.gc.collect", lambda: steps.append(state.global_step))
    callback = RunCallback(make_config(gc_collect_steps=every), None, Interrupts())
    args: Any = type("Arguments", (), {"world_size": 1})
    for step in range(1, 6):
        state.global_step = step
        control: Any = type("Control", (), {"should_evaluate": step == 3, "should_save": False})
        callback.on_step_end(args, state, control)
    state.global_step = 6
    callback.on_epoch_end(args, state, control)
    assert steps == collected


def test_full_determinism_is_torchs(
    make_config: MakeConfig, train: Train, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    at_step(monkeypatch, 1, lambda _: seen.append(torch.are_deterministic_algorithms_enabled()))
    for name in (
        "CUDA_LAUNCH_BLOCKING",
        "CUBLAS_WORKSPACE_CONFIG",
        "ASCEND_LAUNCH_BLOCKING",
        "HCCL_DETERMINISTIC",
    ):
        monkeypatch.setenv(name, "")  # set by the run, and put back behind the test
    monkeypatch.setenv("FLASH_ATTENTION_DETERMINISTIC", "")
    try:
        run = train(make_config(max_steps=1, full_determinism=True))
    finally:
        torch.use_deterministic_algorithms(mode=False)
    assert (run.state, seen) == ("completed", [True])


def test_saving_and_evaluating_by_steps(make_config: MakeConfig, train: Train, events: Events) -> None:
    keys = {"save_strategy": ..., "save_steps": 2, "save_total_limit": 2, "val_set_size": 4, "eval_steps": 3}
    run = train(make_config(max_steps=7, **keys))
    assert [event["step"] for event in events(run, "checkpoint")] == [2, 4, 6, 7]
    assert sorted(path.name for path in (run.directory / "checkpoints").iterdir()) == [
        "checkpoint-6",
        "checkpoint-7",
    ]
    assert [event["step"] for event in events(run, "eval")] == [3, 6, 7]


def test_saving_and_evaluating_by_epoch(make_config: MakeConfig, train: Train, events: Events) -> None:
    keys = {
        "save_strategy": "epoch",
        "val_set_size": 4,
        "num_epochs": 2,
        "max_steps": ...,
        "micro_batch_size": 4,
    }
    run = train(make_config(**keys))
    assert [event["step"] for event in events(run, "checkpoint")] == [2, 4]
    assert [event["step"] for event in events(run, "eval")] == [2, 4]


def test_a_step_is_saved_once_whoever_asks(
    make_config: MakeConfig, train: Train, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_step(monkeypatch, 2, Run.checkpoint)  # served at step 3, where the epoch ends too
    run = train(make_config(save_strategy="epoch", num_epochs=2, max_steps=..., micro_batch_size=4))
    assert [event["step"] for event in events(run, "checkpoint")] == [3, 6]


def test_the_evaluation_is_the_mean_over_tokens(
    make_config: MakeConfig, train: Train, events: Events
) -> None:
    """Batches of unequal length must not weigh the same: any batch size gives one loss."""
    losses = [
        events(train(make_config(val_set_size=5, eval_batch_size=size, max_steps=1)), "eval")[0]["loss"]
        for size in (1, 2, 5)
    ]
    assert losses[1:] == pytest.approx(losses[:1] * 2, rel=1e-6)
    assert losses[0] == pytest.approx(
        math.log(49_152), abs=0.5
    )  # a random model guesses among the whole vocabulary


def test_a_loss_that_is_no_number_ends_the_run(
    make_config: MakeConfig, train: Train, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ft_core.train.trainer.token_mean_loss",
        lambda summed, labels, num_items_in_batch: summed * float("nan"),
    )
    run = train(make_config())
    assert run.state == "failed"
    assert [event["loss"] for event in events(run, "step")] == [None]
    assert run.error is not None
    assert run.error.message == "The loss became nan at step 1, so nothing after it could be learned."
    assert run.error.fix.startswith("Lower learning_rate (now 0.01), for example to 0.001")
    assert run.error.traceback is None
    assert not run.final.exists()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has"),
            (
                "The GPU memory is full after step 2: another 2.50 GiB was asked for and not there. "
                "What was saved before is whole: checkpoints/checkpoint-2."
            ),
        ),
        (
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 4294967296 bytes."
            ),
            (
                "The host memory is full after step 2: another 4.0 GiB was asked for and not there. "
                "What was saved before is whole: checkpoints/checkpoint-2."
            ),
        ),
    ],
)
def test_full_memory_is_named_with_what_the_fix_needs(
    error: Exception,
    message: str,
    make_config: MakeConfig,
    train: Train,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ft_core.train import make_plan
    from ft_core.train.memory import about_gib, gib
    from ft_core.train.trainer import RunTrainer

    compute_loss = RunTrainer.compute_loss

    def refuse(self: Any, *arguments: Any, **options: Any) -> Any:
        if self.state.global_step == 2:
            raise error
        return compute_loss(self, *arguments, **options)

    monkeypatch.setattr(RunTrainer, "compute_loss", refuse)
    keys: dict[str, Any] = {"save_strategy": "steps", "save_steps": 1, "max_steps": 5}
    run = train(make_config(**keys, micro_batch_size=4))
    assert run.state == "failed"
    assert run.error is not None
    assert run.error.message == message
    then = make_plan(make_config(**keys, micro_batch_size=2, gradient_accumulation_steps=2))
    assert then.memory is not None
    assert run.error.fix == (
        "Set micro_batch_size: 2 (now 4) and gradient_accumulation_steps: 2: "
        "the same result in about half the memory for activations. "
        f"It then takes {about_gib(then.memory)} (estimate) of {gib(then.device_memory)}."
    )
    assert run.error.traceback is None
    assert sorted(path.name for path in (run.directory / "checkpoints").iterdir()) == [
        "checkpoint-1",
        "checkpoint-2",
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_gradient_that_is_no_number_ends_the_run_before_its_checkpoint(
    value: float, make_config: MakeConfig, train: Train, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ft_core.train.trainer import RunTrainer

    training_step = RunTrainer.training_step

    def broken(self: Any, model: Any, *arguments: Any, **options: Any) -> Any:
        loss = training_step(self, model, *arguments, **options)
        if self.state.global_step == 1:
            next(weight for weight in model.parameters() if weight.grad is not None).grad.view(-1)[0] = value
        return loss

    monkeypatch.setattr(RunTrainer, "training_step", broken)
    run = train(make_config(save_strategy="steps", save_steps=1))
    assert run.error is not None
    assert run.error.message == (
        f"The norm of the gradients became {value} at step 2, so nothing after it could be learned."
    )
    assert [event["step"] for event in events(run, "checkpoint")] == [1]


def test_a_step_that_the_scaler_skips_is_no_failure(make_config: MakeConfig, tmp_path: Path) -> None:
    from ft_core.train.callbacks import RunCallback
    from ft_core.train.interrupts import Interrupts

    callback = RunCallback(make_config(), None, Interrupts())
    unused: Any = None
    state: Any = type("State", (), {"global_step": 1, "max_steps": 3})
    logs = {"loss": 2.0, "grad_norm": math.inf, "learning_rate": 0.1, "tokens": 9}
    fp16, fp32 = (type("Arguments", (), {"fp16": on})() for on in (True, False))
    for _ in range(2):
        # The scale begins at 2**16, and is halved at each.
        for _ in range(16):
            callback.on_log(fp16, state, unused, logs)
        callback.on_log(fp16, state, unused, logs | {"grad_norm": 1.0})
    for _ in range(16):
        callback.on_log(fp16, state, unused, logs)
    with pytest.raises(ModelError, match="The norm of the gradients became inf at step 1"):
        callback.on_log(fp16, state, unused, logs)
    with pytest.raises(ModelError, match="The norm of the gradients became inf at step 1"):
        callback.on_log(fp32, state, unused, logs)
    with pytest.raises(ModelError, match="The loss became nan at step 1"):
        callback.on_log(fp16, state, unused, logs | {"loss": math.nan})


def test_weights_that_are_no_numbers_are_not_saved(
    make_config: MakeConfig, train: Train, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ft_core.train.callbacks import RunCallback

    on_step_end = RunCallback.on_step_end

    def spoil(self: Any, args: Any, state: Any, control: Any, model: Any = None, **rest: Any) -> None:
        if state.global_step == 2:
            next(weight for weight in model.parameters() if weight.requires_grad).data.view(-1)[0] = math.inf
        on_step_end(self, args, state, control, **rest)

    monkeypatch.setattr(RunCallback, "on_step_end", spoil)
    run = train(make_config(save_strategy="steps", save_steps=1))
    assert run.error is not None
    assert run.error.message == (
        "'base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight' holds what is no number any more, "
        "so the model is not saved."
    )
    assert [path.name for path in (run.directory / "checkpoints").iterdir()] == ["checkpoint-1"]
    assert not run.final.exists()


def test_a_full_disk_leaves_the_older_checkpoints(
    make_config: MakeConfig, train: Train, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import Trainer

    whole = Trainer._save_optimizer_and_scheduler

    def refuse(self: Any, folder: str) -> None:
        if self.state.global_step > 1:
            raise OSError(28, "No space left on device")
        whole(self, folder)

    monkeypatch.setattr(Trainer, "_save_optimizer_and_scheduler", refuse)
    run = train(make_config(save_strategy="steps", save_steps=1))
    assert run.state == "failed"
    assert run.error is not None
    assert run.error.message.startswith(f"The disk that holds '{run.directory}' is full (")
    assert [path.name for path in (run.directory / "checkpoints").iterdir()] == ["checkpoint-1"]


def test_a_fault_of_ours_keeps_its_traceback(
    make_config: MakeConfig, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise TypeError("not a loss")

    monkeypatch.setattr("ft_core.train.trainer.token_mean_loss", broken)
    run = train(make_config())
    assert run.error is not None
    assert run.error.message == "TypeError: not a loss"
    assert "raise TypeError" in (run.error.traceback or "")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"lora_target_modules": ["nix_proj"]}, "lora_target_modules names 'nix_proj'"),
        (
            {"optimizer": "stable_adamw"},
            "The optimizer 'stable_adamw' cannot be used here: You need to install",
        ),
        ({"optim_args": {"momentun": 0.9}}, "optim_args: AdamW takes no argument 'momentun'"),
        ({"val_set_size": 12}, "val_set_size: 12 leaves none of 12 samples to train on"),
    ],
)
def test_a_users_mistake_is_a_sentence(
    keys: dict[str, Any], message: str, make_config: MakeConfig, train: Train
) -> None:
    run = train(make_config(**keys))
    assert run.error is not None
    assert run.error.message.startswith(message)
    assert run.error.fix
    assert run.error.traceback is None


def test_a_run_has_one_worker(
    make_config: MakeConfig, runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ft_core.train.worker import main

    run = create_run("one", config_text="", resolved_text=make_config().to_yaml(absolute_paths=True), plan={})
    main(run.directory)
    written = run.events()
    assert main(run.directory) == 1
    assert "Run 'one' has already ended (completed)." in capsys.readouterr().err
    assert run.events() == written


@pytest.mark.parametrize("keys", [{}, {"use_comet": True, "comet_online": False}])
def test_comet_is_left_alone_in_a_process_whose_run_does_not_report_to_it(
    make_config: MakeConfig, train: Train, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any]
) -> None:
    seen: list[bool] = []

    def load_vocabulary(config: Config) -> Any:
        seen.append("comet_ml" in sys.modules and sys.modules["comet_ml"] is None)
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "comet_ml", sys)  # so that it is as it was after the test
    monkeypatch.delitem(sys.modules, "comet_ml")
    monkeypatch.setattr("ft_core.models.tokenizer.load_vocabulary", load_vocabulary)
    train(make_config(**keys))  # in this process, which is not the run's own
    monkeypatch.setenv("FT_RUN", "here")
    train(make_config(**keys))
    assert seen == [False, not keys]
