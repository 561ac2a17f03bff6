"""%%finetune: what a cell shows, binds, starts and says when it is wrong."""

from __future__ import annotations

import _thread
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ipywidgets.widgets.widget import _instances

from ft_core.config import ConfigError, load_config
from ft_core.errors import DataError, FtError, RunError
from ft_jupyter.plan_card import PlanCard
from ft_jupyter.run import Run
from ft_jupyter.widgets import run_view
from ft_jupyter.widgets.inspector import InspectorView

WIDGET = "application/vnd.jupyter.widget-view+json"


def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_view, "PERIOD", 0.01)


def end(run: Run, state: str = "completed", **fields: object) -> None:
    """End a run that no process fills."""
    path = run.directory / "status.json"
    status = json.loads(path.read_text()) | {"state": state, "phase": "done", "ended": time.time()} | fields
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(status))
    temporary.replace(path)


def test_a_cell_shows_its_plan_starts_its_run_and_returns_it(shell: Any, yaml: str, launches: Any) -> None:
    cell = shell.run(f"%%finetune\n{yaml}")
    assert cell.error is None
    assert cell.result is shell.user_ns["run"]
    plan, header, view, below = cell.displays
    assert plan["text/plain"].startswith("model ")
    assert "<strong>run-1</strong>" in header["text/html"]
    assert "<code>%ft attach run-1</code>" in header["text/html"]
    assert WIDGET in view
    assert below["text/html"] == ""
    assert isinstance(shell.user_ns["run"], Run)
    assert shell.user_ns["run"].name == "run-1"
    [asked] = launches.asked
    assert (asked["name"], asked["gpus"], asked["root"], asked["overwrite"]) == (None, None, None, False)
    # What the card shows is what the run is made of, and is worked out once.
    assert plan["text/plain"] == asked["plan"].render()
    assert asked["config"].max_steps == 4
    assert asked["config"].source == yaml


def test_the_cell_run_again_is_a_run_of_its_own(shell: Any, yaml: str, launches: Any) -> None:
    shell.run(f"%%finetune\n{yaml}")
    first = shell.user_ns["run"]
    shell.run(f"%%finetune\n{yaml}")
    assert [first.name, shell.user_ns["run"].name] == ["run-1", "run-2"]
    assert first.state == "starting"


def test_a_name_is_the_runs_and_the_variables(shell: Any, yaml: str, launches: Any) -> None:
    cell = shell.run(f"%%finetune joker\n{yaml}")
    assert shell.user_ns["joker"].name == "joker"
    assert "run" not in shell.user_ns
    assert "is not a Python name" not in cell.html


def test_a_name_that_is_no_identifier_is_bound_to_one_and_the_cell_says_so(
    shell: Any, yaml: str, launches: Any
) -> None:
    cell = shell.run(f"%%finetune my-run\n{yaml}")
    assert shell.user_ns["my_run"].name == "my-run"
    assert "<code>my_run</code> (&#x27;my-run&#x27; is not a Python name)" in cell.html


def test_a_name_that_is_taken_says_how_to_replace_it(shell: Any, yaml: str, launches: Any) -> None:
    shell.run(f"%%finetune joker\n{yaml}")
    end(shell.user_ns["joker"])
    cell = shell.run(f"%%finetune joker\n{yaml}")
    assert isinstance(cell.error, RunError)
    assert "There is already a run 'joker': completed just now." in cell.printed
    assert "--overwrite" in cell.printed
    assert "Traceback" not in cell.printed
    assert shell.run(f"%%finetune joker --overwrite\n{yaml}").error is None
    assert shell.user_ns["joker"].state == "starting"


def test_a_mistake_in_the_yaml_is_its_sentence_its_line_and_a_caret(
    shell: Any, yaml: str, launches: Any
) -> None:
    cell = shell.run(f"%%finetune\n{yaml.replace('sequence_len', 'sequense_len')}")
    assert isinstance(cell.error, ConfigError)
    plain = run_without_colour(cell.printed)
    assert plain == [
        "line 10, column 1: unknown key 'sequense_len'; did you mean 'sequence_len'?",
        "    sequense_len: 256",
        "    ^",
        *plain[3:],
    ]
    assert "Traceback" not in cell.printed
    assert cell.displays == []
    assert launches.asked == []
    assert "run" not in shell.user_ns


def run_without_colour(printed: str) -> list[str]:
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", printed).splitlines()


def test_every_problem_is_told_at_once(shell: Any, yaml: str, launches: Any) -> None:
    cell = shell.run(f"%%finetune\n{yaml.replace('max_steps: 4', 'max_steps: four')}lora_rr: 3\n")
    lines = [line for line in run_without_colour(cell.printed) if line.startswith("line ")]
    assert [line.split(":")[0] for line in lines] == ["line 13, column 12", "line 14, column 1"]


def test_a_wrong_option_is_a_usage_sentence(shell: Any, yaml: str, launches: Any) -> None:
    cell = shell.run(f"%%finetune --plann\n{yaml}")
    assert type(cell.error) is FtError
    first, second = cell.printed.splitlines()
    assert first == "%%finetune: there is no option or key '--plann'; did you mean '--plan'?"
    assert second.startswith("fix: usage: %%finetune [--plan]")


def test_our_own_mistakes_keep_their_traceback(
    shell: Any, yaml: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ft_jupyter.magics import finetune

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(finetune, "launch", broken)
    cell = shell.run(f"%%finetune\n{yaml}")
    assert isinstance(cell.error, ZeroDivisionError)
    assert "Traceback" in cell.printed


def test_variables_keep_their_type_and_braces_stay_yaml(shell: Any, yaml: str, launches: Any) -> None:
    shell.user_ns.update(rate=5e-4, tag="x", steps=7)
    body = (
        yaml.replace("1e-3", "${rate}").replace("max_steps: 4", "max_steps: $steps")
        + "special_tokens: {pad_token: '<${tag}>'}\n"
    )
    cell = shell.run(f"%%finetune\n{body}")
    assert cell.error is None
    config = launches.asked[0]["config"]
    assert (config.learning_rate, config.max_steps, config.special_tokens.pad_token) == (5e-4, 7, "<x>")


def test_an_unknown_variable_is_told_with_its_line(shell: Any, yaml: str, launches: Any) -> None:
    cell = shell.run(f"%%finetune\n{yaml.replace('1e-3', '${ratte}')}")
    assert run_without_colour(cell.printed)[0].startswith("line 12, column 16: there is no variable 'ratte'")


def test_the_line_is_not_expanded_by_ipython(shell: Any, yaml: str, launches: Any) -> None:
    shell.user_ns["name"] = "expanded"
    cell = shell.run(f"%%finetune {{name}}\n{yaml}")
    assert isinstance(cell.error, RunError)
    assert "'{name}' cannot name a run" in cell.printed


def test_set_wins_over_the_yaml(shell: Any, yaml: str, launches: Any) -> None:
    shell.run(f"%%finetune --set max_steps=9 --set datasets[0].split=train[:50]\n{yaml}")
    config = launches.asked[0]["config"]
    assert (config.max_steps, config.datasets[0].split) == (9, "train[:50]")


def test_a_base_file_fills_in_what_the_cell_leaves_out(
    shell: Any, yaml: str, launches: Any, tmp_path: Path
) -> None:
    base = tmp_path / "my base.yml"
    base.write_text(yaml)
    cell = shell.run(f"%%finetune --base '{base}' --set lora_r=16\nmax_steps: 2\nlora_alpha: 32\n")
    assert cell.error is None
    config = launches.asked[0]["config"]
    assert (config.max_steps, config.lora_alpha, config.lora_r, config.micro_batch_size) == (2, 32, 16, 2)
    assert config.origin("max_steps").line == 2


def test_a_mistake_over_a_base_file_still_has_the_cells_line(
    shell: Any, yaml: str, launches: Any, tmp_path: Path
) -> None:
    base = tmp_path / "base.yml"
    base.write_text(yaml)
    cell = shell.run(f"%%finetune --base {base}\nmax_steps: 2\nlora_alfa: 32\n")
    assert run_without_colour(cell.printed)[0].startswith("line 3, column 1: unknown key 'lora_alfa'")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "The base file base.yml cannot be read: No such file or directory."),
        ("- a\n", "The base file base.yml is no map of keys."),
        ("a: [", "line 1, column 5: "),
    ],
)
def test_a_wrong_base_file(
    shell: Any,
    launches: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str | None,
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "base.yml").write_text(content)
    cell = shell.run("%%finetune --base base.yml\nmax_steps: 2\n")
    assert isinstance(cell.error, FtError)
    assert run_without_colour(cell.printed)[0].startswith(sentence)


def test_plan_shows_the_card_once_and_starts_nothing(
    shell: Any, yaml: str, launches: Any, runs_root: Path
) -> None:
    cell = shell.run(f"%%finetune joker --plan\n{yaml}")
    assert isinstance(cell.result, PlanCard)
    assert cell.displays == []
    assert launches.asked == []
    assert not runs_root.exists()
    assert "joker" not in shell.user_ns


def test_inspect_shows_the_data_and_starts_nothing(
    shell: Any, yaml: str, launches: Any, runs_root: Path
) -> None:
    cell = shell.run(f"%%finetune --inspect\n{yaml}")
    assert isinstance(cell.result, InspectorView)
    assert cell.result.config == load_config(yaml)
    assert "First samples of " in cell.result._repr_mimebundle_()[0]["text/html"]
    assert launches.asked == []
    assert not runs_root.exists()


def test_a_bad_row_is_a_sentence(shell: Any, yaml: str, dictionary: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant"}]}\n')
    cell = shell.run(f"%%finetune --inspect --wait\n{yaml.replace(str(dictionary), str(bad))}")
    assert "row 1: " in repr(cell.result)
    finding = cell.result.findings.iloc[0]
    assert (finding["name"], finding["count"], finding["places"]) == ("broken", 1, (0,))


def test_inspect_of_a_dataset_that_cannot_be_read_is_a_sentence(
    shell: Any, yaml: str, dictionary: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.parquet"
    bad.write_text("no table")
    cell = shell.run(f"%%finetune --inspect\n{yaml.replace(str(dictionary), str(bad))}")
    assert isinstance(cell.error, DataError)
    assert "bad.parquet" in cell.printed
    assert "Traceback" not in cell.printed


def test_the_folder_of_runs_can_be_configured(shell: Any, yaml: str, launches: Any, tmp_path: Path) -> None:
    shell.run(f"%config FinetuneMagics.runs_dir = {str(tmp_path / 'elsewhere')!r}")
    shell.run(f"%%finetune\n{yaml}")
    assert shell.user_ns["run"].directory == tmp_path / "elsewhere" / "run-1"
    assert [run.name for run in shell.run("%ft runs").result] == ["run-1"]


def test_gpus_reach_the_launcher(shell: Any, yaml: str, launches: Any) -> None:
    shell.run(f"%%finetune --gpus 2\n{yaml}")
    assert launches.asked[0]["gpus"] == 2


def test_the_view_is_replaced_by_the_report_when_the_run_ends(shell: Any, yaml: str, launches: Any) -> None:
    cell = shell.run(f"%%finetune\n{yaml}")
    shown = cell.outputs[-2]
    end(shell.user_ns["run"])
    until(lambda: shell.published.outputs[-1]["update"])
    update = shell.published.outputs[-1]
    assert update["transient"] == shown["transient"]
    assert WIDGET not in update["data"]
    assert "✓ completed" in update["data"]["text/html"]


def test_the_inspector_opens_below_the_view(shell: Any, yaml: str, launches: Any) -> None:
    cell = shell.run(f"%%finetune joker\n{yaml}")
    view, below = cell.outputs[-2:]
    assert WIDGET in view["data"]
    assert below["data"]["text/html"] == ""
    run_view = _instances[view["data"][WIDGET]["model_id"]]
    run_view.comm.receive({"type": "inspect"})
    until(lambda: shell.published.outputs[-1]["update"], seconds=30)
    update = shell.published.outputs[-1]
    assert update["transient"] == below["transient"]
    inspector = _instances[update["data"][WIDGET]["model_id"]]
    assert isinstance(inspector, InspectorView)
    assert inspector.title == "joker"
    assert inspector.config.sequence_len == 256


def test_wait_lasts_until_the_end_and_leaves_the_report(shell: Any, yaml: str, launches: Any) -> None:
    threading.Thread(
        target=lambda: (until(lambda: "run" in shell.user_ns), end(shell.user_ns["run"]))
    ).start()
    cell = shell.run(f"%%finetune --wait\n{yaml}")
    assert cell.error is None
    assert shell.user_ns["run"].state == "completed"
    assert cell.result is shell.user_ns["run"]
    view, update, report = cell.outputs[-3:]
    assert WIDGET in view["data"]
    assert update["update"]
    assert update["transient"] == view["transient"]
    assert update["data"]["text/html"] == ""
    assert "✓ completed" in report["data"]["text/html"]


def test_wait_fails_the_cell_when_the_run_fails(shell: Any, yaml: str, launches: Any) -> None:
    def fail() -> None:
        until(lambda: "run" in shell.user_ns)
        end(shell.user_ns["run"], "failed", message="Out of memory.", fix="Lower micro_batch_size.")

    threading.Thread(target=fail).start()
    cell = shell.run(f"%%finetune --wait\n{yaml}")
    assert isinstance(cell.error, RunError)
    assert cell.printed.splitlines() == [
        "The run run-1 failed: Out of memory.",
        "fix: Lower micro_batch_size.",
    ]
    assert "✗ failed" in cell.outputs[-1]["data"]["text/html"]


def test_an_interrupt_ends_the_waiting_and_not_the_run(shell: Any, yaml: str, launches: Any) -> None:
    def interrupt() -> None:
        until(lambda: any(WIDGET in output["data"] for output in shell.published.outputs))
        _thread.interrupt_main()

    threading.Thread(target=interrupt).start()
    cell = shell.run(f"%%finetune --wait\n{yaml}")
    assert isinstance(cell.error, KeyboardInterrupt)
    assert cell.printed.splitlines() == [
        "Stopped waiting. The run run-1 goes on.",
        "%ft stop run-1 ends it, %ft attach run-1 shows it.",
    ]
    run = shell.user_ns["run"]
    assert run.state == "starting"
    assert list((run.directory / "control").iterdir()) == []
    end(run)
    until(lambda: shell.published.outputs[-1]["update"])


def test_a_real_run_from_the_cell_to_the_report_and_a_chat(shell: Any, yaml: str) -> None:
    cell = shell.run(f"%%finetune joker --wait\n{yaml}")
    assert cell.error is None
    run = shell.user_ns["joker"]
    assert run.state == "completed"
    assert run.metrics.index.tolist() == [1, 2, 3, 4]
    report = cell.outputs[-1]["data"]["text/html"]
    assert "4 of 4" in report
    assert report.count("<polyline") == 1
    figure = run.figure()
    assert figure.data[0].x.tolist() == [1, 2, 3, 4]
    assert figure.data[0].name == "loss"

    chat = run.chat()
    assert chat.title == "joker (final)"
    ask = {
        "type": "ask",
        "id": 1,
        "messages": [{"role": "user", "content": "Hi"}],
        "which": ["tuned", "base"],
    }
    chat.comm.receive(ask | {"settings": {"temperature": 0, "top_p": 1, "max_new_tokens": 3, "seed": None}})
    until(lambda: sum(content["type"] == "answer" for content, _ in chat.comm.custom) == 2, 120)
    answers = [content for content, _ in chat.comm.custom if content["type"] == "answer"]
    assert [(answer["which"], answer["tokens"], answer["stopped"]) for answer in answers] == [
        ("tuned", 3, "length"),
        ("base", 3, "length"),
    ]
    chat.close()
