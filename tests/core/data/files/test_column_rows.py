"""Parquet and Arrow to rows, in order and by number."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ft_core.data.files import count_file, data_file, open_file, read_file
from ft_core.errors import DataError

ROWS = [{"n": number, "t": [{"x": str(number)}]} for number in range(2500)]


def write(kind: str, path):
    table = pa.Table.from_pylist(ROWS)
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=2000)
    elif kind == "stream":
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=600)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=600)
    return data_file(path, "parquet" if kind == "parquet" else "arrow", path.name)


@pytest.mark.parametrize("kind", ["parquet", "stream", "file"])
class TestRows:
    @pytest.mark.parametrize("start", [0, 1, 599, 1500, 1999, 2000, 2499, 2500, 9999])
    def test_in_order(self, kind, start, tmp_path):
        file = write(kind, tmp_path / "a")
        assert list(read_file(file, start)) == ROWS[start:]

    def test_by_number(self, kind, tmp_path):
        rows = open_file(write(kind, tmp_path / "a"))
        assert len(rows) == 2500
        numbers = [0, 2499, 1999, 2000, 2001, 600]
        assert [rows[number]["n"] for number in numbers] == numbers

    def test_their_number(self, kind, tmp_path):
        assert count_file(write(kind, tmp_path / "a")) == 2500

    def test_a_damaged_file_is_refused(self, kind, tmp_path):
        path = tmp_path / "a"
        path.write_bytes(b"nothing of the sort, but long enough")
        words = "Parquet" if kind == "parquet" else "Arrow"
        file = data_file(path, "parquet" if kind == "parquet" else "arrow", "a")
        for act in (lambda file: list(read_file(file)), count_file, lambda file: open_file(file)[0]):
            with pytest.raises(DataError, match=rf"^a: not a valid {words} file"):
                act(file)


@pytest.mark.parametrize("kind", ["parquet", "stream", "file"])
def test_an_empty_file_has_no_rows(kind, tmp_path):
    table = pa.table({"n": pa.array([], pa.int64())})
    path = tmp_path / "a"
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        new = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
        with pa.OSFile(str(path), "wb") as sink, new(sink, table.schema):
            pass
    file = data_file(path, "parquet" if kind == "parquet" else "arrow", "a")
    assert (list(read_file(file)), count_file(file), len(open_file(file))) == ([], 0, 0)
