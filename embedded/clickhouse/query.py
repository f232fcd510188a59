"""One query from its request to its reply."""

import asyncio
from typing import Final

from embedded.clickhouse import grafana
from embedded.clickhouse.asking import Asked, asked
from embedded.clickhouse.body import Body, Receive
from embedded.clickhouse.desk import Desk
from embedded.clickhouse.execution import Execution
from embedded.clickhouse.formats import ANSWERING, media_type
from embedded.clickhouse.handle import Handle, Outcome
from embedded.clickhouse.killing import Killing, is_kill_query
from embedded.clickhouse.read_only import refuse_reaching_out, refuse_writes
from embedded.clickhouse.reading import Reading
from embedded.clickhouse.registry import Running
from embedded.clickhouse.reply import Reply
from embedded.clickhouse.request import Request
from embedded.clickhouse.statement import LONGEST_LEXED_BYTES, Statement, analyse
from embedded.clickhouse.system_tables import with_system_tables
from embedded.clickhouse.writing import Writing

_SHOWN_BYTES: Final = 4096


class Query:
    """The statement of one request, being answered."""

    def __init__(self, desk: Desk, running: Running, reply: Reply, receive: Receive) -> None:
        self._desk = desk
        self._running = running
        self._reply = reply
        self._receive = receive

    async def answer(self, request: Request, body: Body) -> None:
        """
        Run the statement and reply.

        Raises:
            ClickHouseError: it was refused or failed.
            ClientGone: nobody is there to be answered.
        """
        ask = await asked(request, body, self._desk.longest_query_bytes(request))
        if ask.request.revision and grafana.is_hello(ask.text):
            self._hello(ask.request.revision)
            return
        self._running.text = ask.text[:_SHOWN_BYTES].decode("utf-8", "replace")
        ask, statement = self._understood(ask)
        refuse_writes(ask.request, statement)
        refuse_reaching_out(ask.request, statement, ask.text)
        self._describe(ask.request, statement)
        async with self._desk.handle(ask.request) as handle:
            if statement.kind == "insert":
                writing = Writing(self._desk, self._running, ask.request, handle)
                self._whole(await writing.insert(statement, ask.text, body))
            else:
                await self._execute(handle, statement, ask)

    def _understood(self, ask: Asked) -> tuple[Asked, Statement]:
        statement = analyse(ask.text)
        if statement.kind == "insert" or statement.verb == "KILL" or len(ask.text) > LONGEST_LEXED_BYTES:
            return ask, statement
        self._running.rewritten = True  # as the list of processes, which may be what is put in, has to know
        text = with_system_tables(ask.text.decode("latin-1"), self._desk.registry).encode("latin-1")
        if text == ask.text:
            self._running.rewritten = False
            return ask, statement
        return ask._replace(text=text), analyse(text)

    def _describe(self, request: Request, statement: Statement) -> None:
        if statement.kind == "read" or statement.verb in ANSWERING:
            format_name = statement.format or request.format
            self._reply.headers["X-ClickHouse-Format"] = format_name
            self._reply.headers["Content-Type"] = media_type(format_name)
        if timezone := request.settings.get("session_timezone"):
            self._reply.headers["X-ClickHouse-Timezone"] = timezone

    def _hello(self, revision: int) -> None:
        engine = self._desk.engine
        self._reply.headers["X-ClickHouse-Format"] = "Native"
        block = grafana.hello(engine.display_name, engine.version, engine.timezone, revision)
        self._reply.whole(block, Outcome(read_rows=1, result_rows=1))

    async def _execute(self, handle: Handle, statement: Statement, ask: Asked) -> None:
        execution = Execution(self._desk.engine, ask.request, self._running, ask.tables)
        try:
            if statement.kind == "read":
                await self._read(execution, handle, statement, ask)
            else:
                await self._run(execution, handle, statement, ask)
        finally:
            if ask.tables:
                await self._desk.start(execution.drop_tables, handle)

    async def _read(self, execution: Execution, handle: Handle, statement: Statement, ask: Asked) -> None:
        gone = asyncio.ensure_future(self._receive())
        try:
            stream = await self._desk.call(self._running, execution.open, handle, statement, ask.text)
            reading = Reading(self._desk, self._running, self._reply, gone)
            await reading.send(stream, wait_for_end=ask.request.flag("wait_end_of_query"))
        finally:
            gone.cancel()

    async def _run(self, execution: Execution, handle: Handle, statement: Statement, ask: Asked) -> None:
        text = ask.text[: statement.end].decode("latin-1")
        if is_kill_query(text):
            killing = Killing(self._desk, self._running, handle)
            outcome = await killing.kill(text, statement.format or ask.request.format)
        else:
            outcome = await self._desk.call(self._running, execution.run, handle, statement, ask.text)
        self._whole(outcome)

    def _whole(self, outcome: Outcome) -> None:
        self._running.outcome = outcome = outcome._replace(elapsed_ns=self._running.elapsed_ns)
        self._reply.whole(outcome.body, outcome)
