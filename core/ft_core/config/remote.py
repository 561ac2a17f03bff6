"""The text of a config that an ``https://`` address names. Imported where there is one: TLS takes its time to load.

Only over TLS, at most as long as any config, within ten seconds in all, and without any password or cookie: an address in a
notebook is somebody else's text.
"""

from __future__ import annotations

import threading
import time
from http.client import HTTPException, IncompleteRead
from ssl import SSLCertVerificationError, SSLError
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener

from ft_core.config.document import MAX_BYTES
from ft_core.config.problems import ConfigError, Problem, clipped
from ft_core.https import OnlyToHttps, raw_form

SECONDS = 10.0
"""How long it may take in all, from looking up the name to the last byte."""

CHUNK = 1 << 16

STATUS = {
    401: "it asks for a password",
    403: "it may not be read",
    404: "there is no such page",
    410: "it is gone",
    429: "it was asked for too often",
}
"""What the commonest refusals mean."""


def fetch(address: str) -> str:
    """Return the text that `address` names.

    Raises
    ------
    ConfigError
        The address is not ``https``, holds a password, or its text cannot be had, within the limits of length and time.
    """
    address = address.strip()
    parts = urlsplit(address)
    if parts.scheme.lower() != "https":
        raise _error(f"a config is only read over https, not {parts.scheme.lower()}", "write https://...")
    if parts.username is not None:
        raise _error("an address with a password is not read", "download the file, and name its path")
    outcome: list[str | ConfigError] = []
    # A thread of its own: looking up a name, and a server that sends a byte now and then, heed no timeout.
    thread = threading.Thread(target=_run, args=(address, outcome), daemon=True)
    thread.start()
    thread.join(SECONDS)
    if not outcome:
        raise _error(
            f"'{clipped(address)}' did not answer within {SECONDS:g} seconds", "try again, or download it"
        )
    result = outcome[0]
    if isinstance(result, ConfigError):
        raise result
    return result


def _run(address: str, outcome: list[str | ConfigError]) -> None:
    try:
        outcome.append(_read(address))
    except ConfigError as error:
        outcome.append(error)
    except Exception as error:  # noqa: BLE001 - whatever the network does is one sentence to the user
        outcome.append(_error(f"'{clipped(address)}' cannot be read: {_reason(error)}", "check the address"))


def _read(address: str) -> str:
    deadline = time.monotonic() + SECONDS
    headers = {"User-Agent": "ft-jupyter", "Accept": "text/*, application/yaml, */*"}
    request = Request(address, headers=headers)  # noqa: S310 - https only
    with build_opener(OnlyToHttps(_leaves_tls)).open(request, timeout=SECONDS) as response:
        if response.headers.get_content_type() == "text/html":
            raise _web_page(address)
        body = b""
        while len(body) <= MAX_BYTES and (chunk := response.read1(CHUNK)):
            body += chunk
            if time.monotonic() > deadline:
                raise TimeoutError
        if len(body) <= MAX_BYTES and response.length:
            raise IncompleteRead(body, response.length)
    if len(body) > MAX_BYTES:
        raise _error(f"'{clipped(address)}' is longer than {MAX_BYTES // 1_000_000} MB", "name a YAML config")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise _error(f"'{clipped(address)}' is not UTF-8 text", "name a YAML config") from None


def _leaves_tls(address: str) -> ConfigError:
    return _error(f"'{clipped(address)}' leads to an address that is not https", "name that text itself")


def _web_page(address: str) -> ConfigError:
    raw = raw_form(address)
    fix = f"write {raw}" if raw else "name the file itself, such as its 'raw' form"
    return _error(f"'{clipped(address)}' is a web page, not a YAML file", fix)


def _reason(error: Exception) -> str:
    """Return why an address cannot be read, in words."""
    if isinstance(error, HTTPError):
        if error.code >= 500:
            what = "its server has a fault"
        else:
            what = "it leads where it cannot be followed" if error.code < 400 else "its server refuses it"
        return f"{STATUS.get(error.code, what)} ({error.code})"
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return f"its server did not answer within {SECONDS:g} seconds"
    if isinstance(cause, SSLCertVerificationError):
        return f"its certificate is not trusted ({cause.verify_message.rstrip('.')})"
    if isinstance(cause, SSLError):
        return "its server does not speak TLS"
    if isinstance(cause, HTTPException):
        return "its server's answer breaks off"
    if isinstance(cause, OSError):
        return (cause.strerror or str(cause)).lower().rstrip(".")
    return clipped(str(cause))


def _error(message: str, fix: str) -> ConfigError:
    return ConfigError([Problem(None, None, "", message, fix)])
