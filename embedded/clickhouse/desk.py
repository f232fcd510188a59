"""What all requests share: the engine, its threads, the sessions, and the list of what runs."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final, ParamSpec, TypeVar

from embedded.clickhouse.engine import Engine
from embedded.clickhouse.handle import Handle
from embedded.clickhouse.lexer import quoted
from embedded.clickhouse.registry import Registry, Running
from embedded.clickhouse.request import Request
from embedded.clickhouse.sessions import Sessions, timeout_s
from embedded.clickhouse.system_tables import engine_id_query

_P = ParamSpec("_P")
_T = TypeVar("_T")

_ENGINE_THREADS: Final = 64
_KILL_AGAIN_S: Final = 0.5
_LONGEST_QUERY_BYTES: Final = 262_144


class Desk:
    """The engine behind the requests; used from one event loop."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.registry = Registry()
        self.sessions = Sessions(engine)
        self._threads = ThreadPoolExecutor(_ENGINE_THREADS, "engine")
        # Stopping a query must not wait behind the queries to be stopped.
        self._stopping = ThreadPoolExecutor(2, "stopping")
        self._control = engine.connect()
        self._control_guard = threading.Lock()

    def start(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> asyncio.Future[_T]:
        """Begin a call that blocks on the engine."""
        return asyncio.get_running_loop().run_in_executor(self._threads, lambda: function(*args, **kwargs))

    async def call(self, running: Running, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what the call returns; if we are cancelled meanwhile, the query is stopped and waited for."""
        future = self.start(function, *args, **kwargs)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await self.stop(running, future)
            raise

    async def kill(self, running: Running) -> None:
        """Ask the engine to give a query up."""
        running.kill()
        await asyncio.get_running_loop().run_in_executor(self._stopping, self._kill, running.query_id)

    async def stop(self, running: Running, call: asyncio.Future[Any]) -> None:
        """Kill a query until its call returns: the engine may not have listed it yet when it is first asked."""
        while not call.done():
            await self.kill(running)
            await asyncio.wait({call}, timeout=_KILL_AGAIN_S)

    async def kill_all(self, after_s: float) -> None:
        """Wait, then kill everything that still runs."""
        await asyncio.sleep(after_s)
        await asyncio.gather(*(self.kill(running) for running in self.registry.running()))

    @asynccontextmanager
    async def handle(self, request: Request) -> AsyncIterator[Handle]:
        """Lend a handle that stands as the request wants it: its session's, or any."""
        self.sessions.expire()
        if request.session_id:
            async with self._session_handle(request) as handle:
                yield handle
            return
        readonly = request.standing
        handle = self.engine.take(readonly=readonly)
        try:
            yield handle
        finally:
            self.engine.give(handle, readonly=readonly)

    def longest_query_bytes(self, request: Request) -> int:
        """Return how long a statement may be: as the request, its session or the server's default says."""
        session = self.sessions.find(request.user.name, request.session_id)
        said = request.settings.get("max_query_size") or (session and session.handle.standing("max_query_size"))
        return int(said) if said and said.isascii() and said.isdigit() else _LONGEST_QUERY_BYTES

    def close(self) -> None:
        """Close all handles and the engine; every request must be over."""
        self._threads.shutdown()
        self._stopping.shutdown()
        self.sessions.close()
        self._control.close()
        self.engine.close()

    @asynccontextmanager
    async def _session_handle(self, request: Request) -> AsyncIterator[Handle]:
        alive_s = timeout_s(request.params.get("session_timeout", ""))
        user = request.user
        session = self.sessions.enter(
            user.name, request.session_id, must_exist=request.flag("session_check"), readonly=user.readonly
        )
        try:
            yield session.handle
        finally:
            self.sessions.leave(session, 0.0 if request.flag("close_session") else alive_s)

    def _kill(self, query_id: str) -> None:
        with self._control_guard:
            found = self._control.query(engine_id_query(query_id).encode(), "TabSeparated", {}).body.decode().split()
            for engine_id in found:
                self._control.query(f"KILL QUERY WHERE query_id = {quoted(engine_id)} ASYNC".encode(), "Null", {})
