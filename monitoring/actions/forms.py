"""Forms as browsers send them, and the signs that they come from a page of ours."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request

from monitoring.access import Viewer

MOST_BYTES = 2**20  # ten thousand symbols, as browsers spell them, and room
MOST_FIELDS = 20_000
Form = Mapping[str, str]


class TooLarge(Exception):
    """A form is larger than ours are. What next: it is refused unread."""


async def form_of(request: Request) -> Form:
    """
    Return the fields of a form; what is given more than once is joined by commas.

    Raises:
        TooLarge: none of ours is.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise TooLarge
    try:
        found = parse_qs(bytes(body).decode(errors="replace"), max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise TooLarge from error
    return {name: ",".join(values) for name, values in found.items()}


def query_of(request: Request) -> Form:
    """Return what an address asks for, joined likewise."""
    query = request.query_params
    return {name: ",".join(value for value in query.getlist(name) if value) for name in query}


def is_from_here(request: Request) -> bool:
    """Return whether a browser says that the form stood on a page of ours."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    # An older browser; ours tell no Origin to forms, because of our Referrer-Policy.
    return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host", "")


class Tokens:
    """What a form must know to be acted upon: good for one person and one action, as long as this process lives."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def of(self, viewer: Viewer, action: str) -> str:
        """Return the token for a form."""
        words = f"{viewer.role}|{viewer.name}|{action}".encode()
        return hmac.new(self._secret, words, hashlib.sha256).hexdigest()

    def fits(self, viewer: Viewer, action: str, token: str) -> bool:
        """Return whether a form knows it."""
        return secrets.compare_digest(self.of(viewer, action).encode(), token.encode())
