"""Lines of files: unpacked, numbered, and found by their breaks alone."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft_core.data.files import Broken, count_file, data_file, open_file, read_file
from ft_core.data.files.lines import index_lines
from ft_core.errors import DataError

LINES = b'{"a": 1}\n\n{"a": 2}\n'


def packed(suffix: str, content: bytes = LINES) -> bytes:
    match suffix:
        case ".gz":
            return gzip.compress(content)
        case ".bz2":
            return bz2.compress(content)
        case ".xz":
            return lzma.compress(content)
        case _:
            return pa.compress(content, codec="zstd", asbytes=True)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".txt"])
def test_compressed_files_are_unpacked(make_file, kind, suffix):
    plain = {".jsonl": LINES, ".csv": b"a\n1\n2\n", ".txt": b"one\ntwo"}[kind]
    rows = {
        ".jsonl": [{"a": 1}, {"a": 2}],
        ".csv": [{"a": 1}, {"a": 2}],
        ".txt": [{"text": "one"}, {"text": "two"}],
    }
    file = make_file(f"a{kind}{suffix}", packed(suffix, plain))
    assert list(read_file(file)) == rows[kind]
    assert count_file(file) == 2
    assert [open_file(file)[at] for at in (1, 0)] == rows[kind][::-1]


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_what_was_appended_is_read_too(make_file, suffix):
    assert list(read_file(make_file(f"a.jsonl{suffix}", packed(suffix) * 2))) == [{"a": 1}, {"a": 2}] * 2


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_a_packed_file_that_breaks_off_is_refused(make_file, suffix):
    long = b"".join(b'{"a": %d}\n' % n for n in range(50_000))
    file = make_file(f"a.jsonl{suffix}", packed(suffix, long)[:-20])
    with pytest.raises(DataError, match=rf"^a\.jsonl\{suffix} cannot be read: "):
        list(read_file(file))


class TestZip:
    def archive(self, tmp_path, **files):
        with zipfile.ZipFile(tmp_path / "a.jsonl.zip", "w") as archive:
            for name, content in files.items():
                archive.writestr(name.replace("__", "/"), content)
        return data_file(tmp_path / "a.jsonl.zip", None, "a.jsonl.zip")

    def test_its_one_file_is_read(self, tmp_path):
        file = self.archive(tmp_path, rows__a=LINES)
        assert list(read_file(file)) == [{"a": 1}, {"a": 2}]

    def test_what_macos_adds_is_left_out(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.jsonl.zip", "w") as archive:
            archive.writestr("a.jsonl", LINES)
            archive.writestr("__MACOSX/._a.jsonl", b"\0\0")
        assert len(list(read_file(data_file(tmp_path / "a.jsonl.zip", None)))) == 2

    @pytest.mark.parametrize(("files", "count"), [({}, 0), ({"a": LINES, "b": LINES}, 2)])
    def test_none_or_several_are_refused(self, tmp_path, files, count):
        with pytest.raises(DataError) as caught:
            list(read_file(self.archive(tmp_path, **files)))
        assert caught.value.message == (
            f"a.jsonl.zip: a zip archive must hold one file, and this one holds {count}."
        )

    def test_what_is_no_archive_is_refused(self, make_file):
        with pytest.raises(DataError, match=r"a\.jsonl\.zip: not a valid zip archive"):
            list(read_file(make_file("a.jsonl.zip", b"plain")))


def test_a_parquet_file_is_not_unpacked(make_file):
    with pytest.raises(DataError, match=r"a\.parquet\.gz: a parquet file cannot be compressed as a whole"):
        list(read_file(make_file("a.parquet.gz", b"x")))


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"PAR1", "a Parquet file"),
        (b"ARROW1\0\0", "an Arrow file"),
        (gzip.compress(LINES), "compressed by gzip"),
        (bz2.compress(LINES), "compressed by bzip2"),
        (lzma.compress(LINES), "compressed by xz"),
        (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
        (b"PK\x03\x04", "a zip archive"),
        ('{"a": 1}'.encode("utf-16"), "text in UTF-16"),
        (b"\xfe\xff\0{", "text in UTF-16"),
        (b"\0" * 100, "binary, or was never written to its end"),
    ],
)
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.txt"])
def test_a_file_that_is_not_what_its_name_says_is_refused(make_file, name, start, what):
    file = make_file(name, start)
    with pytest.raises(DataError) as caught:
        list(read_file(file))
    assert caught.value.message == f"{name}: this is {what}, not what its name says."


class TestText:
    def test_each_line_is_a_row(self, rows_of):
        assert rows_of("a.txt", "\ufeffone\r\n\ntw\ro\n zwölf ") == [
            {"text": "one"},
            {"text": ""},
            {"text": "tw\ro"},
            {"text": " zwölf "},
        ]

    def test_a_broken_line_leaves_the_others_whole(self, rows_of):
        assert rows_of("a.txt", b"one\n\xff\na\0b\nfour") == [
            {"text": "one"},
            "a.txt line 2: not UTF-8 text (byte 1 is 0xff)",
            "a.txt line 3: the line holds NUL bytes",
            {"text": "four"},
        ]

    def test_reading_may_start_at_any_row(self, rows_of):
        assert rows_of("a.txt", "one\ntwo\n", 1) == [{"text": "two"}]


class TestIndex:
    def test_places_and_numbers(self, tmp_path):
        path = tmp_path / "a.jsonl"
        path.write_bytes(b'\n{"a": 1}\r\n\r\n  \n {"a": 2}\n\n')
        index = index_lines(path, keep_blank=False)
        assert (index.offsets.tolist(), index.numbers.tolist()) == ([1, 16], [2, 5])
        every = index_lines(path, keep_blank=True)
        assert (every.offsets.tolist(), every.numbers.tolist()) == (
            [0, 1, 11, 13, 16, 26],
            [1, 2, 3, 4, 5, 6],
        )

    @given(
        st.lists(
            st.sampled_from(
                [b"", b" ", b"\r", b'{"a": 1}', b' {"a": 2}\r', b"\t \x0b", b"{", b"\xef\xbb\xbf"]
            )
        ),
        st.booleans(),
        st.integers(1, 9),
    )
    def test_the_rows_by_number_are_the_rows_in_order(self, tmp_path_factory, lines, ends, chunk):
        folder = tmp_path_factory.mktemp("index")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ft_core.data.files.lines._CHUNK", chunk)
            for name in ("a.jsonl", "a.txt"):
                path = folder / name
                path.write_bytes(b"\n".join(lines) + (b"\n" if ends else b""))
                file = data_file(path, None)
                rows = list(read_file(file))
                assert count_file(file) == len(rows)
                opened = open_file(file)
                assert [opened[number] for number in range(len(opened))] == rows

    def test_a_line_that_is_too_long_is_broken_there_too(self, make_file, monkeypatch):
        monkeypatch.setattr("ft_core.data.files.lines.MAX_LINE", 2**20)
        opened = open_file(make_file("a.jsonl", '{"a": 1}\n"' + "x" * 2**21 + '"\n'))
        assert opened[1] == Broken("a.jsonl line 2", "the line is longer than 1 MB", "Write one row a line.")
