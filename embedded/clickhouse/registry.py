"""The queries that run, under the names their clients gave them, and the last ones that did."""

import asyncio
import time
from collections import deque
from typing import Any, Final
from urllib.parse import quote

from embedded.clickhouse.errors import QUERY_WAS_CANCELLED, SAME_QUERY_ID, ClickHouseError
from embedded.clickhouse.handle import Outcome

_REMEMBERED: Final = 1000


class Running:
    """A query from its first byte to its reply."""

    def __init__(self, query_id: str, user: str) -> None:
        self.query_id = query_id
        self.user = user
        self.text = ""
        self.begun_ns = time.time_ns()
        self.outcome = Outcome()
        self.error: ClickHouseError | None = None
        self.killed = False
        self.rewritten = False  # the engine runs another text than the client sent
        self.ended = asyncio.Event()
        self._begun_s = time.monotonic()
        self._waiting: asyncio.Task[Any] | None = None

    @property
    def elapsed_ns(self) -> int:
        """Return how long the query has been running."""
        return int((time.monotonic() - self._begun_s) * 1e9)

    @property
    def mark(self) -> bytes:
        """
        Return a comment for the end of the text, by which the query is found in the engine's own list.

        The engine names queries by itself; there, the comment moves no position in an error message.
        """
        return f"\n/*request={escaped(self.query_id)}&user={escaped(self.user)}*/".encode()

    async def receive(self, receive: Any) -> Any:  # noqa: ANN401  (an ASGI message)
        """
        Return the next message from the client, unless the query is killed first.

        Raises:
            ClickHouseError: it was killed.
        """
        self.refuse_if_killed()
        self._waiting = asyncio.current_task()
        try:
            return await receive()
        except asyncio.CancelledError:
            if not self.killed or self._waiting is None:
                raise
            self._waiting.uncancel()
            self.refuse_if_killed()
        finally:
            self._waiting = None

    def kill(self) -> None:
        """Mark the query as killed; if it waits for its client, it waits no longer."""
        self.killed = True
        if self._waiting is not None:
            self._waiting.cancel()

    def refuse_if_killed(self) -> None:
        """Raise if somebody has killed the query."""
        if self.killed:
            raise ClickHouseError(QUERY_WAS_CANCELLED, "Query was cancelled")


class Registry:
    """All queries that run, and a thousand that have; used from the event loop only."""

    def __init__(self) -> None:
        self._running: dict[str, Running] = {}
        self._ended: deque[Running] = deque(maxlen=_REMEMBERED)

    def begin(self, query_id: str, user: str) -> Running:
        """
        Return the entry of a new query.

        Raises:
            ClickHouseError: a query of that name still runs.
        """
        if query_id in self._running:
            raise ClickHouseError(SAME_QUERY_ID, f"Query with id = {query_id} is already running.")
        self._running[query_id] = running = Running(query_id, user)
        return running

    def end(self, running: Running) -> None:
        """Move a query that has been answered to the ended ones."""
        running.outcome = running.outcome._replace(body=b"", elapsed_ns=running.elapsed_ns)
        self._running.pop(running.query_id, None)
        self._ended.append(running)
        running.ended.set()

    def find(self, query_id: str) -> Running | None:
        """Return the query of that name if it runs."""
        return self._running.get(query_id)

    def running(self) -> list[Running]:
        """Return every query that runs."""
        return list(self._running.values())

    def ended(self) -> list[Running]:
        """Return the last queries that ended, oldest first."""
        return list(self._ended)


def escaped(name: str) -> str:
    """Return the name as it stands in a mark: nothing in it ends a comment."""
    return quote(name, safe="", errors="surrogateescape")
