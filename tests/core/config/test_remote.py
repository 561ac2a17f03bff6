"""A config from an https address: what is read, what is refused, and in what words. The server is on this machine."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ft_core.config import ConfigError, load_config, remote
from ft_core.config.address import is_address
from ft_core.config.document import MAX_BYTES

CONFIG = "base_model: a/b\nlearning_rate: 1\ndatasets: [{path: c/d, type: alpaca}]\n"
RELEASE = threading.Event()

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="no openssl to make a certificate with"
)


class Handler(BaseHTTPRequestHandler):
    """Answers by path, and remembers what it was asked."""

    seen: list[dict[str, str]] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.seen.append(dict(self.headers))
        path = self.path
        if path == "/config.yml":
            self.answer(CONFIG.encode())
        elif path == "/wrong.yml":
            self.answer(CONFIG.replace("learning_rate: 1", "learning_rate: high").encode())
        elif path == "/exactly.yml":
            self.answer(b"#" * MAX_BYTES)
        elif path == "/long.yml":
            self.answer(b"#" * (MAX_BYTES + 1))
        elif path == "/page":
            self.answer(b"<html></html>", "text/html; charset=utf-8")
        elif path == "/binary":
            self.answer(b"\x80\x02}q\x00.", "application/octet-stream")
        elif path.startswith("/to:"):
            self.send_response(302)
            self.send_header("Location", path[4:])
            self.end_headers()
        elif path == "/round":
            self.send_response(302)
            self.send_header("Location", "/round")
            self.end_headers()
        elif path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(CONFIG.encode())
        elif path == "/slow":
            RELEASE.wait(30)
        elif path == "/drip":
            self.send_response(200)
            self.end_headers()
            while not RELEASE.wait(0.02):
                self.wfile.write(b"#")
        else:
            self.send_error(int(path[1:]))

    def answer(self, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[str, str]:
    """Return the files of a certificate for localhost, and of its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    words = [
        *command.split(),
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
    ]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.fixture
def server(certificate, monkeypatch) -> Iterator[str]:
    """Run the server, trusted by this process; yields its address."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    monkeypatch.setenv("no_proxy", "localhost")
    RELEASE.clear()
    Handler.seen.clear()
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.handle_error = lambda *_: None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    running.socket = context.wrap_socket(running.socket, server_side=True)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"https://localhost:{running.server_port}"
    RELEASE.set()
    running.shutdown()
    running.server_close()
    thread.join()


def refused(address: str) -> tuple[str, str]:
    """Return what is wrong with an address, and its fix."""
    with pytest.raises(ConfigError) as caught:
        load_config(address)
    (problem,) = caught.value.problems
    assert problem.line is None
    return problem.message, problem.fix


def test_a_config_from_an_address(server):
    config = load_config(f" {server}/config.yml\n", {"seed": 7})
    assert (config.base_model, config.seed, config.source) == ("a/b", 7, CONFIG)
    (headers,) = Handler.seen
    assert not {"Authorization", "Cookie"} & headers.keys()
    assert (headers["User-Agent"], headers["Accept-Encoding"]) == ("ft-jupyter", "identity")


def test_its_problems_have_their_lines(server):
    with pytest.raises(ConfigError) as caught:
        load_config(f"{server}/wrong.yml", first_line=2)
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(2, 16)]
    assert "    learning_rate: high" in caught.value.render()


def test_redirects_are_followed_to_https_alone(server):
    assert load_config(f"{server}/to:/config.yml").base_model == "a/b"
    message, fix = refused(f"{server}/to:http://host/c.yml")
    assert message == f"'{server}/to:http://host/c.yml' leads to an address that is not https"
    assert fix == "name that text itself"
    for path in ("/to:file:///etc/passwd", "/round"):
        message = f"'{server}{path}' cannot be read: it leads where it cannot be followed (302)"
        assert refused(server + path)[0] == message


@pytest.mark.parametrize(
    ("path", "message", "fix"),
    [
        ("/404", "'{}' cannot be read: there is no such page (404)", "check the address"),
        ("/403", "'{}' cannot be read: it may not be read (403)", "check the address"),
        ("/418", "'{}' cannot be read: its server refuses it (418)", "check the address"),
        ("/503", "'{}' cannot be read: its server has a fault (503)", "check the address"),
        ("/page", "'{}' is a web page, not a YAML file", "name the file itself, such as its 'raw' form"),
        ("/short", "'{}' cannot be read: its server's answer breaks off", "check the address"),
        ("/binary", "'{}' is not UTF-8 text", "name a YAML config"),
        ("/long.yml", "'{}' is longer than 1 MB", "name a YAML config"),
    ],
)
def test_what_cannot_be_read(server, path, message, fix):
    assert refused(server + path) == (message.format(server + path), fix)


def test_the_longest_text_is_read(server):
    assert remote.fetch(f"{server}/exactly.yml") == "#" * MAX_BYTES


@pytest.mark.parametrize("path", ["/slow", "/drip"])
def test_no_answer_takes_longer_than_the_limit(server, monkeypatch, path):
    monkeypatch.setattr(remote, "SECONDS", 0.3)
    message, fix = refused(server + path)
    assert message in (
        f"'{server}{path}' did not answer within 0.3 seconds",
        f"'{server}{path}' cannot be read: its server did not answer within 0.3 seconds",
    )
    assert fix in ("try again, or download it", "check the address")


def test_half_a_text_is_no_text(server, monkeypatch):
    monkeypatch.setattr(remote, "SECONDS", 0.2)
    with pytest.raises(TimeoutError):
        remote._read(f"{server}/drip")


def test_a_certificate_that_nobody_signed(server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    assert refused(f"{server}/config.yml") == (
        f"'{server}/config.yml' cannot be read: its certificate is not trusted (self-signed certificate)",
        "check the address",
    )


def test_a_server_that_is_not_there(monkeypatch):
    monkeypatch.setenv("no_proxy", "localhost")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert refused(f"https://localhost:{port}/c.yml") == (
        f"'https://localhost:{port}/c.yml' cannot be read: connection refused",
        "check the address",
    )


@pytest.mark.parametrize(
    ("address", "message", "fix"),
    [
        ("http://host/c.yml", "a config is only read over https, not http", "write https://..."),
        ("ftp://host/c.yml", "a config is only read over https, not ftp", "write https://..."),
        ("file:///etc/passwd", "a config is only read over https, not file", "write https://..."),
        (
            "https://me:secret@host/c.yml",
            "an address with a password is not read",
            "download the file, and name its path",
        ),
    ],
)
def test_addresses_that_are_not_asked(address, message, fix):
    assert refused(address) == (message, fix)


def test_a_page_of_github_names_its_raw_form():
    error = remote._web_page("https://github.com/org/repo/blob/main/examples/c.yml")
    assert error.fix == "write https://raw.githubusercontent.com/org/repo/main/examples/c.yml"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://host/c.yml", True),
        ("\n  HTTPS://host/c.yml  \n", True),
        ("http://host", True),
        ("https://host/c.yml\nseed: 1", False),
        ("base_model: https://host/c.yml", False),
        ("https://host: 1", False),
        ("c.yml", False),
        ("://x", False),
    ],
)
def test_what_is_an_address(text, address):
    assert is_address(text) is address
