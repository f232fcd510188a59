"""One query from its request to its reply."""

import asyncio
from typing import Final

from embedded.clickhouse import forms, grafana
from embedded.clickhouse.body import Body, Receive
from embedded.clickhouse.desk import Desk
from embedded.clickhouse.errors import BAD_ARGUMENTS, READONLY, ClickHouseError
from embedded.clickhouse.external import ExternalTable, external_tables, parameter_names
from embedded.clickhouse.formats import BLOCKWISE, media_type
from embedded.clickhouse.handle import Handle, Outcome
from embedded.clickhouse.killing import Killing, is_kill_query
from embedded.clickhouse.processes import Running, places
from embedded.clickhouse.reading import Reading, Stream
from embedded.clickhouse.reply import Reply
from embedded.clickhouse.request import Request
from embedded.clickhouse.statement import LONGEST_LEXED_BYTES, Statement, analyse, is_insert_head
from embedded.clickhouse.writing import Writing

_HARMLESS: Final = frozenset({"SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "USE"})
LONGEST_SHOWN_BYTES: Final = 4096
_NOT_ALLOWED: Final = "Cannot execute query in readonly mode"
_GET_HINT: Final = (
    "For queries over HTTP, method GET implies readonly. You should use method POST for modifying queries"
)


class Query:
    """The statement of one request, being answered."""

    def __init__(self, desk: Desk, request: Request, running: Running, reply: Reply) -> None:
        self._desk = desk
        self._request = request
        self._running = running
        self._reply = reply
        self._tables: list[ExternalTable] = []

    async def answer(self, body: Body, receive: Receive) -> None:
        """
        Run the statement and reply.

        Raises:
            ClickHouseError: it was refused or failed.
            ClientGone: nobody is there to be answered.
        """
        text = await self._text(body)
        if "client_protocol_version" in self._request.params and grafana.is_hello(text):
            await self._hello()
            return
        self._running.text = text[:LONGEST_SHOWN_BYTES].decode("latin-1")
        text, statement = self._understood(text)
        self._refuse_writes(statement)
        self._describe(statement)
        async with self._desk.handle(self._request) as handle:
            if statement.kind == "insert":
                writing = Writing(self._desk, self._running, self._request, handle)
                self._reply.whole(b"", await writing.insert(statement, text, body))
            elif statement.kind == "read":
                await self._read(handle, statement, text, receive)
            else:
                await self._run(handle, statement, text)

    async def _text(self, body: Body) -> bytes:
        """Return the statement: all of it, or an insert's head and the beginning of its data."""
        content_type = self._request.headers.get("content-type", "")
        if edge := forms.boundary(content_type):
            self._read_form(forms.parts(await body.rest(), edge))
            return self._query_param()
        begun, whole = await body.first(LONGEST_LEXED_BYTES)
        if whole and content_type.startswith("application/x-www-form-urlencoded"):
            fields = forms.urlencoded(begun)
            self._request = self._request._replace(params={**self._request.params, **fields})
            begun = b"" if fields else begun
        text = self._query_param()
        text = text + b"\n" + begun if text else begun
        return text if whole or is_insert_head(text) else text + await body.rest()

    def _query_param(self) -> bytes:
        return self._request.params.get("query", "").encode("utf-8", "surrogateescape")

    def _read_form(self, parts: list[forms.Part]) -> None:
        fields = {part.name: part.data.decode("utf-8", "surrogateescape") for part in parts if not part.is_file}
        params = {**self._request.params, **fields}
        self._tables = external_tables(parts, params)
        described = parameter_names(self._tables)
        params = {name: value for name, value in params.items() if name not in described}
        self._request = self._request._replace(params=params)

    def _understood(self, text: bytes) -> tuple[bytes, Statement]:
        statement = analyse(text)
        if statement.kind == "insert" or len(text) > LONGEST_LEXED_BYTES:
            return text, statement
        plain = text.decode("latin-1")
        found = places(plain)
        if not found or statement.verb == "KILL":
            return text, statement
        source = self._desk.registry.source()
        for start, end in reversed(found):
            select = "SELECT * FROM " if plain[start:end].upper().startswith("SHOW") else ""
            plain = plain[:start] + select + source + plain[end:]
        text = plain.encode("latin-1")
        return text, analyse(text)

    def _refuse_writes(self, statement: Statement) -> None:
        readonly = self._request.readonly
        if not readonly:
            return
        if statement.kind != "read" and statement.verb not in _HARMLESS and (statement.verb, readonly) != ("SET", 2):
            hint = f". {_GET_HINT}" if self._request.method != "POST" else ""
            raise ClickHouseError(READONLY, _NOT_ALLOWED + hint)
        if readonly == 1 and self._request.settings:
            raise ClickHouseError(
                READONLY, f"Cannot modify '{next(iter(self._request.settings))}' setting in readonly mode"
            )

    def _describe(self, statement: Statement) -> None:
        format_name = statement.format or self._request.format
        self._reply.headers["X-ClickHouse-Format"] = format_name
        self._reply.headers["Content-Type"] = media_type(format_name)
        if timezone := self._request.settings.get("session_timezone"):
            self._reply.headers["X-ClickHouse-Timezone"] = timezone

    async def _hello(self) -> None:
        engine = self._desk.engine
        revision = self._request.params["client_protocol_version"]
        if not revision.isascii() or not revision.isdigit():
            raise ClickHouseError(BAD_ARGUMENTS, f"Invalid client_protocol_version: '{revision}'")
        self._reply.headers["X-ClickHouse-Format"] = "Native"
        block = grafana.hello(engine.display_name, engine.version, engine.timezone, int(revision))
        self._reply.whole(block, Outcome(read_rows=1, result_rows=1))

    async def _read(self, handle: Handle, statement: Statement, text: bytes, receive: Receive) -> None:
        gone = asyncio.ensure_future(receive())
        try:
            stream = await self._desk.call(self._running, self._open, handle, statement, text)
            reading = Reading(self._desk, self._running, self._reply, gone)
            await reading.send(stream, wait_for_end=self._request.flag("wait_end_of_query"))
        finally:
            gone.cancel()
            if self._tables:
                await self._desk.start(self._drop_tables, handle)

    def _open(self, handle: Handle, statement: Statement, text: bytes) -> Stream:
        self._prepare(handle)
        format_name = statement.format or self._request.format
        mark = self._running.mark
        bindings = self._request.bindings
        if format_name in BLOCKWISE and not _is_framed(text, self._request):
            try:
                return handle.blocks(text[: statement.end] + mark, format_name, bindings)
            except ClickHouseError as error:
                if error.code != BAD_ARGUMENTS or "Streaming query is not supported" not in error.message:
                    raise
        clause = text[statement.output_at : statement.end] or b" FORMAT " + format_name.encode()
        return handle.pipe((text[: statement.output_at], clause + mark), bindings)

    async def _run(self, handle: Handle, statement: Statement, text: bytes) -> None:
        format_name = statement.format or self._request.format
        plain = text[: statement.end].decode("latin-1")
        if is_kill_query(plain):
            killing = Killing(self._desk, self._running, handle)
            outcome = await killing.kill(plain, format_name)
        else:
            outcome = await self._desk.call(self._running, self._whole, handle, statement, text)
        self._reply.whole(outcome.body, outcome)

    def _whole(self, handle: Handle, statement: Statement, text: bytes) -> Outcome:
        self._prepare(handle)
        format_name = statement.format or self._request.format
        outcome = handle.query(text[: statement.end] + self._running.mark, format_name, self._request.bindings)
        if statement.settings or statement.database:
            handle.keep(statement.settings, statement.database)
        elif b"TEMPORARY" in text[:LONGEST_SHOWN_BYTES].upper():
            handle.changed = True
        return outcome

    def _prepare(self, handle: Handle) -> None:
        handle.prepare(self._request.database, self._request.settings)
        for table in self._tables:
            table.create(handle)

    def _drop_tables(self, handle: Handle) -> None:
        handle.changed = True
        for table in self._tables:
            table.drop(handle)


def _is_framed(text: bytes, request: Request) -> bool:
    """Return whether the result has parts that are no rows: totals, extremes, brackets around everything."""
    told = text.upper() if len(text) < LONGEST_LEXED_BYTES else b""
    named = any(word in told for word in (b"TOTALS", b"EXTREMES", b"ARRAY_OF_ROWS"))
    return named or bool({"extremes", "output_format_json_array_of_rows"} & request.settings.keys())
