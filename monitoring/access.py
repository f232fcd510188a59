"""Who may look, and who may act: loopback by its own name, or who knows a password; and what a page may load."""

import base64
import binascii
import math
import secrets
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.settings import LOOPBACK, Settings
from monitoring.guesses import Guesses

OPEN: Final = "/healthz"  # says only that the process lives, so that a supervisor needs no password
ENDLESS: Final = "/live/"
LONGEST_NAME = 64
HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
Role = Literal["operator", "reader"]


@dataclass(frozen=True)
class Viewer:
    """Who asks: the name that was given, which nobody has proved, and what the password allows."""

    name: str
    role: Role


@dataclass(frozen=True)
class Doors:
    """What lets whom in; without a password, who asks on loopback is `local`."""

    operator: str | None
    reader: str | None
    local: Role

    @classmethod
    def of(cls, settings: Settings) -> "Doors":
        """
        Return the doors that the settings ask for.

        On loopback without a password everybody on this machine may act, as anybody there may talk to Redis itself;
        where the servers have passwords of their own, or looking has one, acting needs one too.
        """
        operator, reader = settings.dashboard_password, settings.dashboard_reader_password
        return cls(
            operator=operator.get_secret_value() if operator else None,
            reader=reader.get_secret_value() if reader else None,
            local="reader" if settings.embedded_passwords else "operator",
        )


class Access:
    """Lets a request in, or answers it; marks every answer with the rules for browsers."""

    def __init__(self, app: ASGIApp, *, doors: Doors, guesses: Guesses) -> None:
        self._app = app
        self._doors = doors
        self._guesses = guesses

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

        found = Viewer("", "reader") if scope["path"] == OPEN else self._viewer(scope)
        if isinstance(found, Viewer):
            scope.setdefault("state", {})["viewer"] = found
            await self._app(_as_asked(scope), receive, send_marked)
        else:
            await found(scope, receive, send_marked)

    def _viewer(self, scope: Scope) -> Viewer | Response:
        headers = Headers(scope=scope)
        if self._doors.operator is not None or self._doors.reader is not None:
            return self._let_in(headers.get("authorization", ""), (scope.get("client") or ("a socket",))[0])
        # A foreign name that resolves to 127.0.0.1 would let any web page read ours (DNS rebinding).
        if _hostname(headers.get("host", "")) in LOOPBACK:
            return Viewer("local", self._doors.local)
        return PlainTextResponse(
            "this dashboard answers to 127.0.0.1 and localhost only; DASHBOARD_PASSWORD opens it under other names\n",
            status_code=421,
        )

    def _let_in(self, given: str, address: str) -> Viewer | Response:
        """Return who gives a password, or the answer to a wrong one, to one too soon after others, and to none."""
        if not given:
            return _ask()
        wait_s = self._guesses.wait_s(address)
        if wait_s:
            return _later(wait_s)
        found = _known(given, self._doors)
        if found is None:
            self._guesses.was_wrong(address, given)
        return found or _ask()


def _as_asked(scope: Scope) -> Scope:
    """Return a request; who wants the head of an answer alone (a probe, a load balancer) gets it, without a body."""
    is_head = scope["method"] == "HEAD" and not scope["path"].startswith(ENDLESS)
    return {**scope, "method": "GET"} if is_head else scope  # the server itself leaves the body out


def viewer_of(request: Request) -> Viewer:
    """Return who asks."""
    found: Viewer = request.state.viewer
    return found


def _ask() -> Response:
    return PlainTextResponse(
        "this dashboard needs its password: any user name, and DASHBOARD_PASSWORD\n",
        status_code=401,
        headers={"www-authenticate": 'Basic realm="Tickfleet", charset="UTF-8"'},
    )


def _later(wait_s: float) -> Response:
    seconds = str(math.ceil(wait_s))
    return PlainTextResponse(
        f"too many wrong passwords came from your address: nothing of it is looked at for {seconds} s\n",
        status_code=429,
        headers={"retry-after": seconds},
    )


def _known(authorization: str, doors: Doors) -> Viewer | None:
    scheme, _, coded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, given = base64.b64decode(coded, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    roles: tuple[tuple[Role, str | None], ...] = (("operator", doors.operator), ("reader", doors.reader))
    for role, password in roles:
        if password is not None and secrets.compare_digest(given, password.encode()):
            return Viewer(_plain(name.decode(errors="replace")) or role, role)
    return None


def _plain(name: str) -> str:
    return "".join(letter for letter in name if letter.isprintable())[:LONGEST_NAME]


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
