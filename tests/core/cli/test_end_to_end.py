"""``ft`` from a config to a tuned model, with real processes and a tiny real model."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

FT = ("-c", "import sys; from ft_core.cli.main import main; sys.exit(main())")


@pytest.fixture
def ft(spawn: Callable[..., subprocess.Popen[str]], runs_root: Path) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str) -> tuple[int, str, str]:
        process = spawn(*FT, *arguments, env={"OMP_NUM_THREADS": "1"})
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    return run


def test_plan_train_list_and_read(
    ft: Callable[..., tuple[int, str, str]],
    tiny_model: Path,
    dictionary: Path,
    tmp_path: Path,
    runs_root: Path,
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(dictionary.read_text("utf-8").splitlines(keepends=True)[:16]), "utf-8")
    config = tmp_path / "c.yml"
    config.write_text(
        f"base_model: {tiny_model}\ndatasets:\n  - {{path: {rows}, type: chat_template}}\n"
        "adapter: lora\nlora_r: 4\nlora_target_modules: [q_proj, v_proj]\n"
        "sequence_len: 128\nmicro_batch_size: 2\nlearning_rate: 1e-3\nmax_steps: 50\n"
    )
    status, out, err = ft("plan", str(config), "--max_steps=2")
    assert (status, err) == (0, "")
    assert "LoRA r=4 on q_proj, v_proj" in out
    assert not runs_root.exists()

    status, out, err = ft("train", str(config), "--name", "tiny", "--max_steps", "2")
    assert status == 0, (out, err)
    lines = out.splitlines()
    assert lines[0] == f"Run 'tiny' in {runs_root / 'tiny'}"
    assert any(line.startswith("step 2/2  loss ") for line in lines)
    assert lines[-1].startswith("Run 'tiny' completed at step 2 after ")
    assert lines[-1].endswith(f"The model is in {runs_root / 'tiny' / 'final'}.")
    assert (runs_root / "tiny" / "final" / "adapter_config.json").is_file()

    status, out, err = ft("runs", "--json")
    (row,) = json.loads(out)
    assert (status, row["name"], row["state"], row["step"], row["total_steps"]) == (
        0,
        "tiny",
        "completed",
        2,
        2,
    )
    assert 10.0 < row["loss"] < 12.0  # a random model knows nothing of 49152 tokens: ln(49152) = 10.8

    status, out, err = ft("train", str(config), "--name", "tiny")
    assert (status, out) == (1, "")
    assert err.startswith("error: There is already a run 'tiny': completed ")
    assert ft("logs", "tiny")[0] == 0
