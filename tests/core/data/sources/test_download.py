"""Files over https: fetched once, asked for again by their ETag, never with a secret. The server is on this machine."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.data.sources import count_rows, read_rows
from ft_core.data.sources.download import download
from ft_core.errors import DataError

LINES = b'{"text": "one"}\n{"text": "two"}\n'

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="no openssl to make a certificate with"
)


class Handler(BaseHTTPRequestHandler):
    """Answers by path, and remembers what it was asked."""

    seen: list[dict[str, str]] = []  # noqa: RUF012
    body = LINES
    tag: dict[str, str] = {}  # noqa: RUF012

    def do_GET(self) -> None:
        self.seen.append(dict(self.headers))
        path = self.path.partition("?")[0]
        if path.startswith("/to:"):
            self.send_response(302)
            self.send_header("Location", path[4:])
            self.end_headers()
        elif path == "/page":
            self.answer(b"<html></html>", {"Content-Type": "text/html"})
        elif path == "/short.jsonl":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(LINES)
        elif path.startswith("/rows"):
            asked = {self.headers.get("If-None-Match"), self.headers.get("If-Modified-Since")}
            if asked & set(self.tag.values()):
                self.send_response(304)
                self.end_headers()
            else:
                self.answer(self.body, self.tag)
        else:
            self.send_error(int(path[1:]))

    def answer(self, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = str(folder / "key.pem"), str(folder / "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
         "-out", cert, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.fixture
def server(
    certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[tuple[str, ThreadingHTTPServer]]:
    """Yield the address of a server whose certificate is trusted here, and the server."""
    cert, key = certificate
    monkeypatch.setenv("SSL_CERT_FILE", cert)
    monkeypatch.setenv("FT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "localhost")
    monkeypatch.setattr(Handler, "seen", [])
    monkeypatch.setattr(Handler, "body", LINES)
    monkeypatch.setattr(Handler, "tag", {"ETag": '"v1"'})
    http = ThreadingHTTPServer(("localhost", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    yield f"https://localhost:{http.server_port}", http
    http.shutdown()
    http.server_close()


@pytest.fixture
def dataset(make_config: Callable[..., Config]) -> Callable[..., Any]:
    def make(path: str, **keys: Any) -> Any:
        return make_config({"type": "completion", "path": path, **keys}).datasets[0]

    return make


def test_a_file(server: Any, dataset: Callable[..., Any]) -> None:
    address, _ = server
    told: list[str] = []
    rows = list(read_rows(dataset(f"{address}/rows.jsonl?signature=secret"), on_wait=told.append))
    assert rows == [(0, {"text": "one"}), (1, {"text": "two"})]
    assert told == [f"downloading {address}/rows.jsonl (32 bytes)"]
    sent = {name.lower() for name in Handler.seen[0]}
    assert sent == {"user-agent", "accept-encoding", "host", "connection"}


@pytest.mark.parametrize(
    "tag", [{"ETag": '"v1"'}, {"ETag": 'W/"v1"'}, {"Last-Modified": "Tue, 24 Nov 2026 08:00:00 GMT"}]
)
def test_it_is_fetched_once_and_again_when_it_changed(
    tag: dict[str, str], server: Any, dataset: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "tag", tag)
    entry = dataset(f"{server[0]}/rows.jsonl")
    told: list[str] = []
    assert count_rows(entry) is None
    assert len(list(read_rows(entry, on_wait=told.append))) == 2
    assert len(list(read_rows(entry, on_wait=told.append))) == 2
    assert (len(told), len(Handler.seen)) == (1, 2)
    monkeypatch.setattr(
        Handler, "tag", {name: value.replace("v1", "v2").replace("Nov", "Dec") for name, value in tag.items()}
    )
    monkeypatch.setattr(Handler, "body", LINES * 2)
    assert len(list(read_rows(entry, on_wait=told.append))) == 4
    assert len(told) == 2
    assert count_rows(entry) == 4
    assert len(Handler.seen) == 3


def test_without_a_version_it_is_fetched_each_time(
    server: Any, dataset: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "tag", {})
    entry = dataset(f"{server[0]}/rows.jsonl")
    assert len(list(read_rows(entry))) == 2
    monkeypatch.setattr(Handler, "body", LINES * 2)
    assert len(list(read_rows(entry))) == 4


def test_a_server_that_is_gone_leaves_the_copy(server: Any, dataset: Callable[..., Any]) -> None:
    address, http = server
    entry = dataset(f"{address}/rows.jsonl")
    list(read_rows(entry))
    http.shutdown()
    http.server_close()
    told: list[str] = []
    assert len(list(read_rows(entry, on_wait=told.append))) == 2
    assert len(told) == 1
    assert told[0].startswith(f"{address}/rows.jsonl cannot be reached (connection refused): its copy of 20")


def test_a_file_that_is_gone_does_not_leave_its_copy(
    server: Any, dataset: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, _ = server
    download(f"{address}/rows.jsonl")
    monkeypatch.setattr(Handler, "do_GET", lambda self: self.send_error(404))
    with pytest.raises(DataError) as caught:
        list(read_rows(dataset(f"{address}/rows.jsonl")))
    assert caught.value.message == f"{address}/rows.jsonl cannot be read: there is no such page (404)."


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/404", "there is no such page (404)"),
        ("/401", "it asks for a password (401)"),
        ("/503", "its server refuses it (503)"),
        ("/short.jsonl", "its server's answer breaks off (32 bytes of 1.0 KB came)"),
    ],
)
def test_what_cannot_be_had_is_a_sentence(path: str, reason: str, server: Any) -> None:
    with pytest.raises(DataError) as caught:
        download(f"{server[0]}{path}")
    assert caught.value.message == f"{server[0]}{path} cannot be read: {reason}."
    assert caught.value.fix == "Check the address and the network."


def test_an_answer_that_breaks_off_leaves_nothing(server: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        download(f"{server[0]}/short.jsonl")
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.suffix == ".jsonl"] == []


def test_a_web_page_is_no_data(server: Any) -> None:
    with pytest.raises(DataError) as caught:
        download(f"{server[0]}/page")
    assert caught.value.message == f"{server[0]}/page is a web page, not a file with rows."
    assert caught.value.fix == "Name the file itself, such as its 'raw' form."


def test_a_redirect_stays_in_tls(server: Any) -> None:
    address, _ = server
    assert download(f"{address}/to:/rows.jsonl").read_bytes() == LINES
    with pytest.raises(DataError) as caught:
        download(f"{address}/to:http://localhost/rows.jsonl")
    assert caught.value.message == (
        f"{address}/to:http://localhost/rows.jsonl leads to an address that is not https."
    )


def test_a_certificate_that_nobody_vouches_for(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(DataError, match="certificate"):
        download(f"{server[0]}/rows.jsonl")


def test_a_server_that_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("ft_core.data.sources.download.SECONDS", 0.2)
    monkeypatch.setenv("FT_CACHE", str(tmp_path))
    monkeypatch.setenv("no_proxy", "localhost")
    with socket.create_server(("localhost", 0)) as silent:
        address = f"https://localhost:{silent.getsockname()[1]}/rows.jsonl"
        with pytest.raises(DataError) as caught:
            download(address)
    assert caught.value.message == f"{address} cannot be read: its server said nothing for 0.2 seconds."


def test_a_password_is_neither_sent_nor_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_CACHE", str(tmp_path))
    with pytest.raises(DataError) as caught:
        download("https://me:word@localhost/rows.jsonl")
    assert caught.value.message == "https://localhost/rows.jsonl: an address with a password is not read."


def test_http_is_refused(dataset: Callable[..., Any]) -> None:
    with pytest.raises(DataError) as caught:
        list(read_rows(dataset("http://localhost/rows.jsonl?key=1")))
    assert caught.value.message == "http://localhost/rows.jsonl: rows are only read over https."


def test_what_kind_of_file_it_is(server: Any, dataset: Callable[..., Any]) -> None:
    with pytest.raises(DataError) as caught:
        list(read_rows(dataset(f"{server[0]}/rows?format=json")))
    assert caught.value.message == f"{server[0]}/rows: the suffix does not say what kind of file this is."
    assert len(list(read_rows(dataset(f"{server[0]}/rows?format=json", ds_type="json")))) == 2


def test_a_split_that_the_name_does_not_say(server: Any, dataset: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match="is of the split 'test'"):
        list(read_rows(dataset(f"{server[0]}/rows.jsonl", split="test")))
