"""A file that an ``https://`` address names: fetched once, and asked for again by its ETag.

Only over TLS, and without any password or cookie: an address in a config is somebody else's text.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, build_opener

from ft_core.config.remote import STATUS
from ft_core.data.sources.copies import Copy, in_words, keep, known_copies, locked
from ft_core.errors import DataError
from ft_core.https import OnlyToHttps, raw_form

SECONDS = 30.0
"""How long the server may say nothing."""

CHECK = "Check the address and the network."


def download(address: str, on_wait: Callable[[str], None] | None = None) -> Path:
    """Return this machine's copy of the file at an address, fetched if it is new or has changed.

    Where the server cannot be reached, an older copy serves, and `on_wait` is told.

    Raises
    ------
    DataError
        The address is not ``https``, holds a password or names a web page, or the file cannot be had.
    """
    parts = urlsplit(address)
    if parts.username is not None:
        raise DataError(
            f"{shown_address(address)}: an address with a password is not read.", "Download the file."
        )
    name = file_name(address)
    with locked(address):
        old = known_copies(address).get(name)
        try:
            return _fetch(address, name, old, on_wait)
        except (OSError, HTTPException) as error:
            reason = _reason(error)
            if old is None or isinstance(error, HTTPError):
                raise DataError(f"{shown_address(address)} cannot be read: {reason}.", CHECK) from error
            if on_wait:
                on_wait(
                    f"{shown_address(address)} cannot be reached ({reason}): its copy of {old.fetched} is used"
                )
            return old.path


def file_name(address: str) -> str:
    """Return what the file at an address is called.

    >>> file_name("https://example.org/data/rows%201.jsonl?download=true")
    'rows_1.jsonl'
    """
    last = unquote(urlsplit(address).path).rpartition("/")[2]
    return re.sub(r"[^\w.-]", "_", last).lstrip(".")[-100:] or "data"


def shown_address(address: str) -> str:
    """Return an address without what may be secret in it: a password, and the query that a signature stands in.

    >>> shown_address("https://me:word@example.org/rows.jsonl?signature=1")
    'https://example.org/rows.jsonl'
    """
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _fetch(address: str, name: str, old: Copy | None, on_wait: Callable[[str], None] | None) -> Path:
    headers = {"User-Agent": "ft-jupyter", "Accept-Encoding": "identity"}
    if old and old.version:
        # A date has a comma or spaces in it, an ETag stands in quotes.
        headers["If-None-Match" if '"' in old.version else "If-Modified-Since"] = old.version
    request = Request(address, headers=headers)  # noqa: S310 - https only
    try:
        response = build_opener(OnlyToHttps(_leaves_tls)).open(request, timeout=SECONDS)
    except HTTPError as error:
        error.close()
        if error.code == 304 and old:
            return old.path
        raise
    with response:
        if response.headers.get_content_type() == "text/html":
            raise _web_page(address)
        size = response.length
        if on_wait:
            on_wait(f"downloading {shown_address(address)}" + (f" ({in_words(size)})" if size else ""))

        def write(path: Path) -> None:
            with path.open("wb") as file:
                shutil.copyfileobj(response, file, 2**20)
            if size is not None and path.stat().st_size != size:
                raise HTTPException(f"{in_words(path.stat().st_size)} of {in_words(size)} came")

        version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        return keep(address, name, version, size, write)


def _leaves_tls(address: str) -> DataError:
    message = f"{shown_address(address)} leads to an address that is not https."
    return DataError(message, "Name that file itself.")


def _web_page(address: str) -> DataError:
    raw = raw_form(address)
    fix = f"Write {raw}." if raw else "Name the file itself, such as its 'raw' form."
    return DataError(f"{shown_address(address)} is a web page, not a file with rows.", fix)


def _reason(error: Exception) -> str:
    """Return why a file cannot be had, in words."""
    if isinstance(error, HTTPError):
        return f"{STATUS.get(error.code, 'its server refuses it')} ({error.code})"
    cause: Any = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return f"its server said nothing for {SECONDS:g} seconds"
    if isinstance(cause, HTTPException):
        return f"its server's answer breaks off ({cause})" if str(cause) else "its server's answer breaks off"
    if isinstance(cause, OSError):
        return (cause.strerror or str(cause)).lower().rstrip(".")
    return str(cause)
