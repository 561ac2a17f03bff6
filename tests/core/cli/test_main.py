from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ft_core.cli import runs as runs_verb
from ft_core.cli.main import main
from ft_core.errors import RunError


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["trian"], "ft: there is no verb 'trian'; did you mean 'train'?"),
        (["zzz"], "ft: there is no verb 'zzz'"),
        (["--verbose"], "ft: the following arguments are required: VERB"),
        (["train"], "ft train: the following arguments are required: CONFIG"),
        (["train", "c.yml", "d.yml"], "ft train: unknown argument 'd.yml'"),
        (["train", "c.yml", "--gpus", "two"], "ft train: argument --gpus: invalid int value: 'two'"),
        (["train", "c.yml", "-x"], "ft train: unknown option '-x'"),
        (["runs", "--jsno"], "ft runs: unknown option '--jsno'; did you mean '--json'?"),
        (["stop", "poet", "--no"], "ft stop: unknown option '--no'; did you mean '--now'?"),
        (["fetch", "gpt"], "ft fetch: argument WHAT: invalid choice: 'gpt'"),
    ],
)
def test_a_command_that_makes_no_sense(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("usage: ft")
    assert lines[-1].startswith(said)


def test_without_a_verb_it_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "start a run in the background and follow it" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == "ft 0.1.0\n"


def test_an_error_is_a_sentence_and_its_fix(capsys: pytest.CaptureFixture[str], runs_root: Path) -> None:
    assert main(["attach", "poet"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"error: There is no run 'poet' in {runs_root}.\nfix: No run was started there yet.\n"


def test_an_error_without_a_fix(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> int:
        raise RunError("No.")

    monkeypatch.setattr(runs_verb, "execute", refuse)
    assert main(["runs"]) == 1
    assert capsys.readouterr().err == "error: No.\n"


def test_a_wrong_config_shows_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, runs_root: Path
) -> None:
    config = tmp_path / "c.yml"
    config.write_text(
        "base_model: a/b\nlearning_rate: 1e-4\nsequense_len: 512\ndatasets: [{path: c/d, type: alpaca}]\n"
    )
    for verb in ("plan", "train"):
        assert main([verb, str(config)]) == 1
        lines = capsys.readouterr().err.splitlines()
        assert lines[0] == "line 3, column 1: unknown key 'sequense_len'; did you mean 'sequence_len'?"
        assert lines[1:3] == ["    sequense_len: 512", "    ^"]
    assert not runs_root.exists()


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(runs_verb, "execute", fail)
    with pytest.raises(ZeroDivisionError):
        main(["runs"])


def test_an_interrupt_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(runs_verb, "execute", interrupt)
    assert main(["runs"]) == 130
    assert capsys.readouterr().err == ""


def test_a_reader_that_leaves_is_no_error(spawn: Callable[..., subprocess.Popen[str]]) -> None:
    code = (
        "import sys; from ft_core.cli import runs, main; runs.table = lambda _: 'x' * 10**6; "
        "runs.describe = lambda run: run; import ft_core.runs; ft_core.runs.find_runs = lambda: [1]; "
        "sys.exit(main.main(['runs']))"
    )
    process = spawn("-c", code)
    process.stdout.read(1)  # type: ignore[union-attr]
    process.stdout.close()  # type: ignore[union-attr]
    assert process.wait(30) == 1
    assert process.stderr.read() == ""  # type: ignore[union-attr]


def test_help_imports_nothing_heavy(spawn: Callable[..., subprocess.Popen[str]]) -> None:
    """What makes a command slow to answer is what it imports."""
    code = """if True:
        import sys
        from ft_core.cli.main import main
        try:
            main(["--help"])
        except SystemExit:
            heavy = {"torch", "transformers", "rich", "pandas", "numpy", "psutil", "yaml", "pydantic", "ft_core.config"}
            sys.exit(str(sorted(heavy & set(sys.modules))))
    """
    process = spawn("-c", code)
    assert process.communicate()[1] == "[]\n"


def test_listing_runs_imports_no_torch(spawn: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    code = """if True:
        import sys
        from ft_core.cli.main import main
        status = main(["runs", "--json"])
        sys.exit(str((status, sorted({"torch", "transformers", "pandas"} & set(sys.modules)))))
    """
    process = spawn("-c", code, env={"FT_RUNS_DIR": str(tmp_path)})
    assert process.communicate() == ("[]\n", "(0, [])\n")
