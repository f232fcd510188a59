"""Who may look: loopback by its own name, or anybody with the password; and what a page may load: nothing foreign."""

import base64
import binascii
import secrets
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.settings import LOOPBACK

OPEN: Final = "/healthz"  # says only that the process lives, so that a supervisor needs no password
HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


class Access:
    """Lets a request in, or answers it; marks every answer with the rules for browsers."""

    def __init__(self, app: ASGIApp, *, password: str | None) -> None:
        self._app = app
        self._password = password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = None if scope["path"] == OPEN else self._refusal(Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_marked)

    def _refusal(self, headers: Headers) -> Response | None:
        if self._password is not None:
            return None if _knows(headers.get("authorization", ""), self._password) else _ask()
        # A foreign name that resolves to 127.0.0.1 would let any web page read ours (DNS rebinding).
        if _hostname(headers.get("host", "")) in LOOPBACK:
            return None
        return PlainTextResponse(
            "this dashboard answers to 127.0.0.1 and localhost only; DASHBOARD_PASSWORD opens it under other names\n",
            status_code=421,
        )


def _ask() -> Response:
    return PlainTextResponse(
        "this dashboard needs its password: any user name, and DASHBOARD_PASSWORD\n",
        status_code=401,
        headers={"www-authenticate": 'Basic realm="Tickfleet", charset="UTF-8"'},
    )


def _knows(authorization: str, password: str) -> bool:
    scheme, _, coded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        _, _, given = base64.b64decode(coded, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return False
    return secrets.compare_digest(given, password.encode())


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
