"""An insert on its way to the table: decompressed and handed over as it arrives, acknowledged when it stands there."""

from contextlib import suppress
from typing import Final

from embedded.clickhouse.body import Body
from embedded.clickhouse.desk import Desk
from embedded.clickhouse.errors import ClickHouseError
from embedded.clickhouse.handle import Handle, Outcome
from embedded.clickhouse.registry import Running
from embedded.clickhouse.request import Request
from embedded.clickhouse.statement import Statement
from embedded.clickhouse.streams import InsertStream

_SHOWN: Final = 4096
_PIECE_BYTES: Final = 1 << 20


class Writing:
    """One insert whose data is the request's body."""

    def __init__(self, desk: Desk, running: Running, request: Request, handle: Handle) -> None:
        self._desk = desk
        self._running = running
        self._request = request
        self._handle = handle

    async def insert(self, statement: Statement, text: bytes, body: Body) -> Outcome:
        """
        Insert everything behind the statement's head.

        Args:
            statement: what `text` is.
            text: the head, and the data as far as it has come.
            body: the rest of the data.

        Returns:
            the rows written, once they stand in the table.

        Raises:
            ClickHouseError: the engine refused it, or the query was killed.
            ClientGone: the body was cut; nothing is acknowledged.
        """
        head = text[: statement.end] + self._running.mark
        self._running.text = text[: statement.end].decode("utf-8", "replace")[:_SHOWN]
        self._running.rewritten = True
        more, whole = await body.first(_PIECE_BYTES)
        data = text[statement.data_at :] + more
        format_name = statement.format or "Values"
        if whole:
            return await self._desk.call(self._running, self._at_once, head, format_name, data)
        insert = await self._desk.call(self._running, self._begin, head, format_name, data)
        try:
            while data := (await body.first(_PIECE_BYTES))[0]:
                await self._desk.call(self._running, insert.append, data)
        except BaseException:
            with suppress(ClickHouseError):  # the first error is the one to tell
                await self._desk.start(insert.cancel)
            raise
        rows, written_bytes = await self._desk.call(self._running, insert.finish)
        return Outcome(written_rows=rows, written_bytes=written_bytes)

    def _begin(self, head: bytes, format_name: str, data: bytes) -> InsertStream:
        self._running.refuse_if_killed()
        self._handle.prepare(self._request.database, self._request.settings)
        insert = self._handle.insert(head, format_name, self._request.bindings)
        try:
            insert.append(data)
        except ClickHouseError:
            insert.cancel()
            raise
        return insert

    def _at_once(self, head: bytes, format_name: str, data: bytes) -> Outcome:
        if format_name == "Values":
            self._handle.prepare(self._request.database, self._request.settings)
            return self._handle.query(head + b" VALUES " + data, "Null", self._request.bindings)
        rows, written_bytes = self._begin(head, format_name, data).finish()
        return Outcome(written_rows=rows, written_bytes=written_bytes)
