"""Rows in a file, a config for them, and what a pass over them gives, without the processes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ft_core.config import Config, load_config
from ft_core.errors import FtError
from ft_core.inspection.look import DatasetLook
from ft_core.inspection.results import Results
from ft_core.inspection.rows import RowList, batches
from ft_core.inspection.scan import ScanTable
from ft_core.inspection.scanner import Scanner


def write_rows(path: Path, rows: Sequence[Mapping[str, Any] | str]) -> Path:
    """Write rows, or lines as they are, to a file of JSON Lines."""
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def config_of(path: Path, dataset: Mapping[str, Any] | None = None, **keys: Any) -> Config:
    """Return a config that trains on one file."""
    entry = {"path": str(path), "type": "chat_template", **(dataset or {})}
    keys = {"datasets": [entry], "sequence_len": 2048, **keys}
    return load_config({"base_model": "some/model", "learning_rate": 1e-4, **keys}, check_paths=False)


def scan(config: Config, tokenizer: Any) -> Results:
    """Return what a pass over all rows of a config finds."""
    rows, table = RowList(config), ScanTable()
    scanners = [Scanner(DatasetLook(config, each.dataset, tokenizer)) for each in rows.datasets]
    for batch in batches(rows):
        given: dict[int, Any] = {}
        for place in range(batch.first, batch.stop):
            try:
                given[place] = rows.row(place)
            except FtError as error:  # noqa: PERF203
                given[place] = error
        table.add(batch.first, scanners[batch.dataset].scan(given))
    return Results(config, rows.datasets, table.columns(), table.totals, {})


def chat(*turns: str, roles: Sequence[str] = ("user", "assistant")) -> dict[str, Any]:
    """Return a conversation whose messages take turns."""
    return {
        "messages": [
            {"role": roles[number % len(roles)], "content": content} for number, content in enumerate(turns)
        ]
    }
