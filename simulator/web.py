"""The HTTP side of a venue: its routes under uvicorn's protocol, with faults between request and answer."""

import asyncio
import contextlib
import math
from collections.abc import Sequence
from functools import partial
from socket import socket
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from common.clock import monotonic_s
from simulator.faults import Fault, Faults

JSON = "application/json"
REASONS = {418: b"I'm a teapot", 429: b"Too Many Requests", 200: b"OK"}


def json_response(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return an answer whose body is already JSON."""
    return Response(body, status, headers, media_type=JSON)


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which lets a fault reach the socket under an answer."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["transport"] = self.transport


class FaultGate:
    """Stands before a venue's routes and carries out what was ordered for a request."""

    def __init__(self, app: ASGIApp, venue: str, faults: Faults) -> None:
        self._app = app
        self._venue = venue
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, truthfully or not."""
        # Nobody but the end of the simulator cancels a request, and then its client is already cut off.
        with contextlib.suppress(asyncio.CancelledError):
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        subject = scope["path"] + "?" + scope["query_string"].decode("latin-1")
        fault = self._faults.strike(
            self._venue, ("status", "hang", "garbage", "truncated", "slow", "disconnect"), subject
        )
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.kind == "slow":
            await asyncio.sleep(fault.delay_s)
            await self._app(scope, receive, send)
        elif fault.kind == "truncated":
            await self._app(scope, receive, _Cut(scope))
            await _until_disconnected(receive)
        else:
            await self._misbehave(fault, scope, receive, send)

    async def _misbehave(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        match fault.kind:
            case "hang":
                await self._hang(fault, receive)
                scope["state"]["transport"].abort()
            case "disconnect":
                scope["state"]["transport"].abort()
                await _until_disconnected(receive)
            case "garbage":
                body = fault.body or "<html><body>upstream connect error</body></html>"
                await Response(body, 200, media_type=JSON)(scope, receive, send)
            case _:
                headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
                await json_response(fault.body.encode(), fault.status, headers)(scope, receive, send)

    @staticmethod
    async def _hang(fault: Fault, receive: Receive) -> None:
        left_s = fault.until_s - monotonic_s()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if math.isinf(left_s) else left_s):
                await _until_disconnected(receive)


class _Cut:
    """Writes the head of an answer with its true length, half of the body, and hangs up."""

    def __init__(self, scope: Scope) -> None:
        self._transport = scope["state"]["transport"]
        self._head = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = b"".join(name + b": " + value + b"\r\n" for name, value in message["headers"])
            status = message["status"]
            self._head = b"HTTP/1.1 %d %s\r\n%s\r\n" % (status, REASONS.get(status, b""), headers)
        else:
            body = message.get("body", b"")
            self._transport.write(self._head + body[: len(body) // 2])
            self._transport.close()


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class WebServer:
    """One listening socket with its routes."""

    def __init__(self, routes: list[BaseRoute], venue: str, faults: Faults, before: Sequence[BaseRoute] = ()) -> None:
        # What comes before the gate can be reached even when everything behind it hangs.
        gate = Mount("/", app=FaultGate(Starlette(routes=routes), venue, faults))
        app = Starlette(routes=[*before, gate])
        self._config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, proxy_headers=False)
        self._config.load()
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket) -> None:
        """Answer from now on."""
        app_state: dict[str, Any] = {}
        factory = partial(_Protocol, config=self._config, server_state=self._state, app_state=app_state)
        self._server = await asyncio.get_running_loop().create_server(factory, sock=listener, backlog=512)

    async def stop(self) -> None:
        """Stop listening, and cut what is still under way: a hanging answer must not hold up the end."""
        if self._server:
            self._server.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        # An aborted transport is only closed when the loop comes round.
        await asyncio.sleep(0)
        for task in list(self._state.tasks):
            task.cancel()
        await asyncio.gather(*self._state.tasks, return_exceptions=True)
