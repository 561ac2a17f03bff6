"""``%ft evaluate``: a table of losses, from a process of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ft_core.errors import FtError
from ft_core.train.evaluate import Evaluated
from ft_jupyter.evaluation_table import EvaluationTable


def test_a_config_is_evaluated_by_its_base_model(shell: Any, tiny_model: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": f"Number {number}."}) + "\n" for number in range(4)))
    file = tmp_path / "config.yml"
    file.write_text(
        f"base_model: {tiny_model}\nlearning_rate: 1e-4\nbf16: false\n"
        f"datasets:\n- path: {rows}\n  type: completion\n"
    )
    cell = shell.run(f"%ft evaluate {file} --val-set-size 2")
    assert isinstance(cell.result, EvaluationTable)
    (found,) = cell.result
    assert (found.dataset, found.samples) == (str(rows), 2)
    assert 10 < found.loss < 12


def test_the_table_shows_text_as_text() -> None:
    drawn = EvaluationTable([Evaluated("<b>", 4, 1200, 2.0, 7.389)])
    assert "&lt;b&gt;" in drawn._repr_html_()
    assert "<b>" not in drawn._repr_html_()
    assert repr(drawn) == (
        "dataset  samples  tokens    loss  perplexity\n<b>            4   1,200  2.0000       7.389"
    )


def test_a_key_over_a_run_is_refused(shell: Any, write_run: Any) -> None:
    written = write_run("poet")
    cell = shell.run(f"%ft evaluate {written.directory} --val-set-size 2")
    assert isinstance(cell.error, FtError)
    assert cell.error.message == "A run is evaluated as it was trained, so no key can be set."
