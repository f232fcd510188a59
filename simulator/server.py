"""The shell around all venues: it binds, listens, tells where, and stops."""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from simulator.connection import Connection
from simulator.control import control_routes
from simulator.faults import Faults
from simulator.ledger import Ledger
from simulator.limits import Limits, Window
from simulator.registry import NOT_SIMULATED, VENUES
from simulator.venue import Addresses, Entry, Shell, Venue
from simulator.web import WebServer
from simulator.wire import Wire

HOST = "127.0.0.1"
FIVE_MINUTES_S = 300.0
CONTROL = "control"

log = logging.getLogger(__name__)


class SocketServer:
    """One venue's listening WebSocket."""

    def __init__(self, name: str, venue: Venue, shell: Shell) -> None:
        self._name = name
        self._venue = venue
        self._shell = shell
        self._connects = Window(FIVE_MINUTES_S)
        self._number = 0
        self._wires: set[Wire] = set()
        self._server: Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Accept connections from now on. Pings are the venue's business, not the library's."""
        self._server = await serve(
            self._handle,
            sock=listener,
            create_connection=Connection,
            process_request=self._greet,
            compression=None,
            ping_interval=None,
            close_timeout=2,
        )

    async def stop(self) -> None:
        """Cut all connections and stop listening."""
        for wire in list(self._wires):
            wire.abort()
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    def _greet(self, connection: ServerConnection, request: Request) -> Response | None:
        if self._connects.add() > self._shell.limits.connects_per_5min:
            return connection.respond(429, "Too many connection attempts\n")
        if fault := self._shell.faults.strike(self._name, ("refuse",), request.path):
            return connection.respond(fault.status, fault.body)
        return None

    async def _handle(self, connection: ServerConnection) -> None:
        if not isinstance(connection, Connection):
            raise TypeError(connection)
        self._number += 1
        wire = Wire(connection, self._name, self._number, faults=self._shell.faults, limits=self._shell.limits)
        self._wires.add(wire)
        minders = [asyncio.create_task(mind()) for mind in (wire.keep_alive, wire.watch_faults, wire.grow_old)]
        try:
            await self._venue.talk(wire)
        finally:
            self._wires.discard(wire)
            for minder in minders:
                minder.cancel()


class Simulator:
    """All venues of one run. Use it as an asynchronous context, or start and stop it."""

    def __init__(self, venues: Mapping[str, Venue], shell: Shell, settings: Mapping[str, str] | None = None) -> None:
        self.faults = shell.faults
        self.ledger = Ledger(shell.faults)
        self.environment: dict[str, str] = {}
        self._settings = dict(settings or {})
        self.failed = asyncio.Event()
        self._venues = dict(venues)
        self._shell = shell
        self._servers: list[WebServer | SocketServer] = []
        self._lives: list[asyncio.Task[None]] = []

    async def start(self, port_base: int = 0) -> None:
        """
        Listen on loopback: on free ports, or on `port_base` and those behind it.

        Raises:
            OSError: a port is taken.
        """
        self.environment = dict.fromkeys(NOT_SIMULATED, "false") | self._settings
        control = control_routes(self.faults, self.ledger, set(self._venues))
        listener = _bound(port_base)
        await self._serve(WebServer(control, CONTROL, self.faults), listener)
        self.environment["SIMULATOR_URL"] = f"http://{_address(listener)}"
        for index, entry in enumerate(VENUES):
            self.environment[entry.enabled_setting] = str(entry.name in self._venues).lower()
            if venue := self._venues.get(entry.name):
                at = await self._open(entry, venue, port_base and port_base + 1 + 2 * index)
                self.environment |= venue.settings(at)

    async def _open(self, entry: Entry, venue: Venue, port: int) -> Addresses:
        self.ledger.open(entry.name, venue.facts)
        control = control_routes(self.faults, self.ledger, set(self._venues))
        listener = _bound(port)
        await self._serve(WebServer(venue.routes(), entry.name, self.faults, before=control), listener)
        at = Addresses(http=f"http://{_address(listener)}", socket="")
        if entry.has_socket:
            listener = _bound(port and port + 1)
            await self._serve(SocketServer(entry.name, venue, self._shell), listener)
            at = at._replace(socket=f"ws://{_address(listener)}")
        life = asyncio.create_task(venue.live(), name=f"{entry.name}.live")
        life.add_done_callback(self._mourn)
        self._lives.append(life)
        return at

    async def _serve(self, server: WebServer | SocketServer, listener: socket.socket) -> None:
        self._servers.append(server)
        await server.start(listener)

    def _mourn(self, life: asyncio.Task[None]) -> None:
        if not life.cancelled() and (error := life.exception()):
            log.error("simulator.venue_failed", exc_info=error)
            self.failed.set()

    async def stop(self) -> None:
        """Cut everything and free the ports."""
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, *(server.stop() for server in self._servers), return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()


def write_addresses(path: Path, environment: Mapping[str, str]) -> None:
    """Write the fleet's settings in one stroke: whoever waits for the file finds it whole."""
    draft = path.with_name(path.name + ".draft")
    draft.write_text(json.dumps(environment, indent=2) + "\n")
    draft.replace(path)


def shell_of(limits: Limits | None = None) -> Shell:
    """Return a shell without any fault ordered."""
    return Shell(Faults(), limits or Limits())


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with contextlib.ExitStack() as unless_bound:
        unless_bound.callback(listener.close)
        listener.bind((HOST, port))
        unless_bound.pop_all()
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"{host}:{port}"
