"""A stop that comes while two ranks tokenize: both end, whichever has the work and whichever waits."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.runs import Run, create_run


@pytest.mark.parametrize("first", ["0", "1"])
@pytest.mark.parametrize("kept", [True, False], ids=["one for all", "each for itself"])
def test_a_stop_while_two_ranks_tokenize(
    make_config: Callable[..., Config],
    events: Callable[[Run, str], list[dict[str, Any]]],
    on_two_ranks: Callable[..., subprocess.CompletedProcess[str]],
    runs_root: Path,
    tmp_path: Path,
    first: str,
    kept: bool,
) -> None:
    rows, begun, prepared = tmp_path / "many.jsonl", tmp_path / "begun", tmp_path / "prepared"
    rows.write_text('{"text": "a word"}\n' * 2000)
    stop = runs_root / "stopped" / "control" / "stop"
    code = (
        "import pathlib\n"
        "rows = []\n"
        "def read(row):\n"
        "    rows.append(row)\n"
        f"    pathlib.Path({str(begun)!r}).touch()\n"
        f"    if len(rows) == 300 and not pathlib.Path({str(begun) + '.asked'!r}).exists():\n"
        f"        pathlib.Path({str(begun) + '.asked'!r}).touch()\n"
        f"        pathlib.Path({str(stop)!r}).touch()\n"
        "    return [{'text': row['text'], 'train': True}]\n"
    )
    kind: Any = {"python": code}
    if kept:
        (tmp_path / "asking.py").write_text(code)
        kind = f"{tmp_path / 'asking.py'}:read"
    data = [{"path": str(rows), "type": kind}]
    config = make_config(datasets=data, dataset_prepared_path=str(prepared))
    text = config.to_yaml(absolute_paths=True)
    run = create_run("stopped", config_text="", resolved_text=text, plan={})
    done = on_two_ranks("waiting_ranks.py", run, first, str(begun))
    assert done.returncode == 0, done.stderr
    assert (run.state, events(run, "step"), run.final.exists()) == ("stopped", [], False)
    assert begun.with_name("begun.asked").exists()
    left = [path.name for path in prepared.iterdir()] if prepared.exists() else []
    assert [name for name in left if name != "files"] == []
