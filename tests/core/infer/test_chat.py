"""Talking to the tuned model and its base, through the real worker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoTokenizer

import ft_core
from ft_core.errors import ModelError
from ft_core.infer import Chat
from ft_core.runs import Run

MESSAGES = [{"role": "user", "content": 'Define "money".'}]
CHATML = '<|im_start|>user\nDefine "money".<|im_end|>\n<|im_start|>assistant\n'


def text_of(tiny_model: Path, ids: list[int]) -> str:
    return AutoTokenizer.from_pretrained(tiny_model).decode(ids, skip_special_tokens=True)


def prompt(tiny_model: Path) -> list[int]:
    return AutoTokenizer.from_pretrained(tiny_model)(CHATML, add_special_tokens=False)["input_ids"]


def test_an_adapter_chat_offers_both_and_answers_with_the_tuned_one(adapter_chat: Chat) -> None:
    assert adapter_chat.choices == ("tuned", "base")
    default = adapter_chat.ask('Define "money".', temperature=0, max_new_tokens=4)
    assert default == adapter_chat.ask('Define "money".', which="tuned", temperature=0, max_new_tokens=4)
    assert adapter_chat.status == "ready"


def test_greedy_answers_are_those_of_the_plain_models_on_the_runs_template(
    adapter_chat: Chat, adapter_run: Run, tiny_model: Path, greedy: Callable[..., list[int]]
) -> None:
    ids = prompt(tiny_model)
    tuned = text_of(tiny_model, greedy(adapter_run.final, ids, 12, base=tiny_model))
    base = text_of(tiny_model, greedy(tiny_model, ids, 12))
    assert tuned != base
    for which, expected in (("tuned", tuned), ("base", base), ("tuned", tuned)):
        stream = adapter_chat.stream(MESSAGES, which=which, temperature=0, max_new_tokens=12)
        assert "".join(stream) == expected
        assert stream.answer is not None
        assert (stream.answer.text, stream.answer.tokens) == (expected, 12)
        assert stream.answer.stopped == "length"
        assert 0 < stream.answer.seconds < 60


def test_a_seed_makes_an_answer_again_and_no_seed_a_new_one(adapter_chat: Chat) -> None:
    def ask(seed: int | None) -> str:
        return adapter_chat.ask("Hi", temperature=1.5, max_new_tokens=16, seed=seed)

    assert ask(1) == ask(1)
    assert len({ask(1), ask(2), ask(None), ask(None)}) == 4


def test_a_small_top_p_leaves_only_the_likeliest_token(adapter_chat: Chat) -> None:
    nearly_greedy = adapter_chat.ask("Hi", temperature=1.0, top_p=1e-6, seed=1, max_new_tokens=8)
    assert nearly_greedy == adapter_chat.ask("Hi", temperature=0, max_new_tokens=8)


def test_cancel_stops_within_a_token_or_two_and_the_next_answer_comes(adapter_chat: Chat) -> None:
    stream = adapter_chat.stream(MESSAGES, temperature=1, max_new_tokens=450, seed=1)
    next(stream)
    assert adapter_chat.status == "generating"
    stream.cancel()
    rest = list(stream)
    assert stream.answer is not None
    assert stream.answer.stopped == "cancelled"
    assert stream.answer.tokens < 100
    assert len(rest) < 100
    assert adapter_chat.ask("Hi", max_new_tokens=2) != ""


def test_cancel_from_another_thread_ends_what_runs_and_what_waits(adapter_chat: Chat) -> None:
    running = adapter_chat.stream(MESSAGES, temperature=1, max_new_tokens=450)
    waiting = adapter_chat.stream(MESSAGES, which="base", max_new_tokens=450)
    next(running)
    canceller = threading.Thread(target=adapter_chat.cancel)
    canceller.start()
    canceller.join()
    assert list(waiting) == []
    list(running)
    assert running.answer is not None
    assert running.answer.stopped == "cancelled"
    assert waiting.answer is not None
    assert (waiting.answer.tokens, waiting.answer.stopped) == (0, "cancelled")


def test_a_dropped_stream_is_cancelled(adapter_chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []
    deliver = adapter_chat._connection._deliver
    monkeypatch.setattr(
        adapter_chat._connection, "_deliver", lambda message: (ended.append(message), deliver(message))
    )
    for _ in adapter_chat.stream(MESSAGES, temperature=1, max_new_tokens=450, seed=1):
        break
    # Requests are answered in order, so the dropped one is over when this one is.
    list(adapter_chat.stream(MESSAGES, temperature=0, max_new_tokens=1))
    assert [message["stopped"] for message in ended if message["type"] == "done"] == ["cancelled", "length"]


def test_a_conversation_that_fills_the_model_is_refused_and_the_chat_goes_on(adapter_chat: Chat) -> None:
    with pytest.raises(ModelError, match=r"tokens long, and the model reads at most 512"):
        adapter_chat.ask("word " * 600)
    nearly_full = adapter_chat.stream(
        [{"role": "user", "content": "word " * 490}], max_new_tokens=400, seed=1
    )
    list(nearly_full)
    assert nearly_full.answer is not None
    assert nearly_full.answer.tokens < 20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.1}, "temperature is out of range."),
        ({"top_p": 0}, "top_p is out of range."),
        ({"top_p": 1.1}, "top_p is out of range."),
        ({"max_new_tokens": 0}, "max_new_tokens is out of range."),
        ({"which": "teacher"}, "This chat has no 'teacher' model."),
    ],
)
def test_settings_out_of_range_are_said_at_once(adapter_chat: Chat, settings: dict, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        adapter_chat.stream(MESSAGES, **settings)
    assert caught.value.message == message


def test_no_message_is_refused(adapter_chat: Chat) -> None:
    with pytest.raises(ModelError, match="There is no message to answer"):
        adapter_chat.stream([])


def test_a_whole_tuned_model_is_compared_with_its_base_and_ends_at_its_end_token(
    make_run: Callable[..., Run], tiny_model: Path, greedy: Callable[..., list[int]]
) -> None:
    from transformers import AutoModelForCausalLM

    run = make_run(tiny_model)
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    for parameter in model.parameters():
        parameter.data.mul_(-1.5)
    model.save_pretrained(run.final)
    expected = greedy(run.final, prompt(tiny_model), 8)
    # The model now says that the second token it will generate ends a turn.
    stop = expected[1]
    assert stop != expected[0]
    settings = json.loads((run.final / "generation_config.json").read_text())
    (run.final / "generation_config.json").write_text(json.dumps({**settings, "eos_token_id": [2, stop]}))
    with Chat(run) as chat:
        stream = chat.stream(MESSAGES, temperature=0, max_new_tokens=8)
        assert "".join(stream) == text_of(tiny_model, expected[:1])
        assert stream.answer is not None
        assert (stream.answer.tokens, stream.answer.stopped) == (2, "eos")
        base = chat.ask('Define "money".', which="base", temperature=0, max_new_tokens=8)
    assert base == text_of(tiny_model, greedy(tiny_model, prompt(tiny_model), 8))


def test_an_answer_ends_where_the_template_ends_a_turn(tiny_model: Path) -> None:
    from ft_core.infer.load import Models
    from ft_core.infer.source import Source

    models = Models(Source(str(tiny_model)), "cpu")
    models.tokenizer.eos_token = "<|endoftext|>"
    with models.using("base") as model:
        model.config.eos_token_id = model.generation_config.eos_token_id = None
        assert models.stop_ids(model) == {0, 2}  # <|endoftext|>, and <|im_end|> which the template writes


def test_a_models_own_habits_do_not_change_what_settings_mean(tiny_model: Path, tmp_path: Path) -> None:
    from ft_core.infer.load import Models
    from ft_core.infer.source import Source

    habitual = tmp_path / "habitual"
    shutil.copytree(tiny_model, habitual)
    habits = {"eos_token_id": [2, 7], "repetition_penalty": 5.0, "top_k": 3, "do_sample": True}
    (habitual / "generation_config.json").write_text(json.dumps(habits))
    models = Models(Source(str(habitual)), "cpu")
    with models.using("base") as model:
        assert models.stop_ids(model) == {2, 7}
        kept = model.generation_config.to_diff_dict()
    assert {name: value for name, value in kept.items() if name in habits} == {"eos_token_id": [2, 7]}


def test_weights_that_cannot_be_read_are_a_sentence(tiny_model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_model, broken)
    (broken / "model.safetensors").write_bytes(b"no weights")
    with Chat(broken) as chat:
        for _ in range(2):  # the second time, the worker is gone and the reason is remembered
            with pytest.raises(ModelError, match=r"The weights of '.*broken' cannot be read") as caught:
                chat.ask("Hi")
            assert caught.value.fix == "Download or save the model again."
        assert chat.status == "failed"


def test_importing_the_chat_loads_no_torch() -> None:
    code = "import sys, ft_core.infer; print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(Path(ft_core.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "[]\n"
