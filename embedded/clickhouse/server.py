"""The program's life: take the port and the directory, serve, and on SIGTERM finish what was begun."""

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn

from common import log
from embedded.clickhouse.app import Face
from embedded.clickhouse.desk import Desk
from embedded.clickhouse.engine import Engine
from embedded.clickhouse.users import User

_LAST_REQUESTS_S: Final = 20
_LAST_WORDS_S: Final = 3
_CLOSING_S: Final = 10
_KEEP_ALIVE_S: Final = 3600  # an idle connection closed under an insert would leave its fate in doubt


class PortTaken(Exception):
    """The address cannot be bound; the program ends with code 2."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(host, port, reason)
        self.host = host
        self.port = port
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot listen on {self.host}:{self.port}: {self.reason}"


class _Server(uvicorn.Server):
    """A server that ends with code 0 when it is told to stop; uvicorn's own raises the signal once more."""

    def __init__(self, config: uvicorn.Config, desk: Desk) -> None:
        super().__init__(config)
        self._desk = desk

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the requests end that run; those that do not in time are killed, and told so."""
        impatient = asyncio.create_task(self._desk.kill_all(after_s=_LAST_REQUESTS_S))
        await super().shutdown(sockets)
        impatient.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        wanted = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(host: str, port: int, path: Path, users: Callable[[], Mapping[str, User]]) -> None:
    """
    Serve until SIGTERM or SIGINT.

    Raises:
        PortTaken: somebody else listens there.
        EngineUnavailable: another engine holds the directory.
    """
    listener = _listener(host, port)
    with listener:
        desk = Desk(Engine(path))
        try:
            _run(listener, desk, Face(desk, users))
        finally:
            impatient = threading.Timer(_CLOSING_S, _give_up)
            impatient.daemon = True
            impatient.start()
            desk.close()
            impatient.cancel()


def _run(listener: socket.socket, desk: Desk, face: Face) -> None:
    log.configure("clickhouse")
    # It would report each client that leaves, and each reply that we cut short on purpose.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        face,
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_LAST_REQUESTS_S + _LAST_WORDS_S,
    )
    host, port = listener.getsockname()[:2]
    print(f"clickhouse: ready on http://{host}:{port}, data in {desk.engine.path}", flush=True)
    _Server(config, desk).run(sockets=[listener])


def _give_up() -> None:
    print(
        f"clickhouse: the engine did not close within {_CLOSING_S} s; what was acknowledged is on the disk", flush=True
    )
    os._exit(0)


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise PortTaken(host, port, error.strerror or str(error)) from error
    return listener
