"""The half of a query that blocks: what the engine is asked, on which handle, in which order."""

import json
from collections.abc import Sequence

from embedded.clickhouse.engine import Engine
from embedded.clickhouse.errors import BAD_ARGUMENTS, ClickHouseError
from embedded.clickhouse.external import ExternalTable
from embedded.clickhouse.formats import BLOCKWISE
from embedded.clickhouse.handle import Handle, Outcome
from embedded.clickhouse.native import Column
from embedded.clickhouse.reading import Stream
from embedded.clickhouse.registry import Running
from embedded.clickhouse.request import Request
from embedded.clickhouse.revised import RevisedStream, revised_body
from embedded.clickhouse.statement import LONGEST_LEXED_BYTES, Statement


class Execution:
    """One statement on one handle; every call belongs in an engine thread."""

    def __init__(self, engine: Engine, request: Request, running: Running, tables: Sequence[ExternalTable]) -> None:
        self._engine = engine
        self._request = request
        self._running = running
        self._tables = tables

    def open(self, handle: Handle, statement: Statement, text: bytes) -> Stream:
        """Begin a read."""
        self.prepare(handle)
        format_name = statement.format or self._request.format
        marked = text[: statement.end] + self._running.mark
        if format_name == "Native" or (format_name in BLOCKWISE and not self._is_framed(text)):
            try:
                blocks = handle.blocks(marked, format_name, self._request.bindings)
            except ClickHouseError as error:
                if error.code != BAD_ARGUMENTS or "Streaming query is not supported" not in error.message:
                    raise
            else:
                if format_name != "Native" or not self._request.revision:
                    return blocks
                return RevisedStream(blocks, self._request.revision, lambda: self._columns(statement, text))
        clause = text[statement.output_at : statement.end] or b" FORMAT " + format_name.encode()
        return handle.pipe((text[: statement.output_at], clause + self._running.mark), self._request.bindings)

    def run(self, handle: Handle, statement: Statement, text: bytes) -> Outcome:
        """Return the result of a statement that is no read."""
        self.prepare(handle)
        format_name = statement.format or self._request.format
        outcome = handle.query(text[: statement.end] + self._running.mark, format_name, self._request.bindings)
        if statement.settings or statement.database:
            handle.keep(statement.settings, statement.database)
        if b"TEMPORARY" in text[:LONGEST_LEXED_BYTES].upper():
            handle.changed = True
        if format_name == "Native":
            outcome = outcome._replace(body=revised_body(outcome.body, self._request.revision))
        return outcome

    def prepare(self, handle: Handle) -> None:
        """Make the handle stand as the request wants it, with the tables it brought."""
        handle.prepare(self._request.database, self._request.settings)
        for table in self._tables:
            table.create(handle)

    def drop_tables(self, handle: Handle) -> None:
        """Take away the tables that the request brought."""
        for table in self._tables:
            table.drop(handle)

    def _columns(self, statement: Statement, text: bytes) -> list[Column]:
        """Return the columns of a read; on another handle, because its own is busy with the read."""
        question = b"DESCRIBE TABLE (%s\n)" % text[: statement.output_at]
        handle = self._engine.take(readonly=self._request.standing)
        try:
            handle.prepare(self._request.database, self._request.settings)
            answer = handle.query(question, "JSONCompactEachRow", self._request.bindings).body
        except ClickHouseError:
            return []  # it reads a session's own table; its zones stay unknown, as at revision 0
        finally:
            self._engine.give(handle, readonly=self._request.standing)
        return [Column(row[0].encode(), row[1]) for row in map(json.loads, answer.splitlines())]

    def _is_framed(self, text: bytes) -> bool:
        """Return whether the result has parts that are no rows: totals, extremes, brackets around everything."""
        told = text.upper() if len(text) < LONGEST_LEXED_BYTES else b""
        named = any(word in told for word in (b"TOTALS", b"EXTREMES", b"ARRAY_OF_ROWS"))
        return named or bool({"extremes", "output_format_json_array_of_rows"} & self._request.settings.keys())
