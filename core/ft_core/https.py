"""Reading somebody else's text over TLS and nothing else. Imported where there is an address: TLS takes its time to load."""

from __future__ import annotations

import re
from collections.abc import Callable
from http.client import HTTPMessage
from typing import IO
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request

_RAW_FORMS = (
    (r"^https://github\.com/([^/]+/[^/]+)/blob/", r"https://raw.githubusercontent.com/\1/"),
    (r"^(https://huggingface\.co/datasets/[^/]+/[^/]+)/blob/", r"\1/resolve/"),
)


class OnlyToHttps(HTTPRedirectHandler):
    """Follows a redirect only to another https address.

    Parameters
    ----------
    refusal
        Makes the error for an address that leads elsewhere.
    """

    max_redirections = 5

    def __init__(self, refusal: Callable[[str], Exception]) -> None:
        self._refusal = refusal

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """Return the next request, or raise where it would leave TLS."""
        if urlsplit(newurl).scheme != "https":
            raise self._refusal(req.full_url)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def raw_form(address: str) -> str | None:
    """Return the address of the file that a well-known web page shows, or None.

    >>> raw_form("https://github.com/org/repo/blob/main/a.yml")
    'https://raw.githubusercontent.com/org/repo/main/a.yml'
    """
    for page, raw in _RAW_FORMS:
        if re.match(page, address):
            return re.sub(page, raw, address)
    return None
