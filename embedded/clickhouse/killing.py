"""KILL QUERY by the names that clients gave their queries."""

import asyncio
import json
from contextlib import suppress
from typing import Final

from embedded.clickhouse.desk import Desk
from embedded.clickhouse.errors import SYNTAX_ERROR, ClickHouseError
from embedded.clickhouse.handle import Handle, Outcome
from embedded.clickhouse.lexer import quoted, tokens
from embedded.clickhouse.registry import Running
from embedded.clickhouse.system_tables import with_system_tables

_LONGEST_WAIT_S: Final = 30.0


class Killing:
    """One KILL QUERY statement."""

    def __init__(self, desk: Desk, running: Running, handle: Handle) -> None:
        self._desk = desk
        self._running = running
        self._handle = handle

    async def kill(self, text: str, format_name: str) -> Outcome:
        """
        Stop the queries that the statement's condition names.

        Returns:
            (kill_status, query_id, user, query), as a server answers.

        Raises:
            ClickHouseError: the condition cannot be understood.
        """
        condition, mode = _condition(text)
        question = f"SELECT query_id, user, query FROM system.processes WHERE {condition}"  # noqa: S608  (the statement's own)
        question = with_system_tables(question, self._desk.registry)
        answer = await self._desk.call(
            self._running, self._handle.query, question.encode("latin-1"), "JSONCompactEachRow", {}
        )
        found = [json.loads(line) for line in answer.body.splitlines()]
        found = [row for row in found if row[0] != self._running.query_id]
        rows = [(await self._stop(row[0], mode), *row) for row in found]
        return await self._desk.call(self._running, self._handle.query, _table(rows), format_name, {})

    async def _stop(self, query_id: str, mode: str) -> str:
        running = self._desk.registry.find(query_id)
        if running is None:
            return "finished"
        if mode == "TEST":
            return "waiting"
        await self._desk.kill(running)
        if mode == "SYNC":
            with suppress(TimeoutError):
                await asyncio.wait_for(running.ended.wait(), _LONGEST_WAIT_S)
        return "finished" if running.ended.is_set() else "waiting"


def is_kill_query(text: str) -> bool:
    """Return whether the statement is KILL QUERY, not KILL MUTATION."""
    found = tokens(text[:4096])
    first, second = next(found, None), next(found, None)
    return first is not None and second is not None and first.says("KILL") and second.says("QUERY")


def _condition(text: str) -> tuple[str, str]:
    found = list(tokens(text))
    where = next((token for token in found if token.says("WHERE")), None)
    if where is None:
        raise ClickHouseError(SYNTAX_ERROR, "Syntax error: expected KILL QUERY WHERE condition, found no condition")
    modes = [token for token in found if token.depth == 0 and token.says("SYNC", "ASYNC", "TEST", "FORMAT")]
    end = modes[0].start if modes else len(text)
    return text[where.end : end], modes[0].text.upper() if modes else "ASYNC"


def _table(rows: list[tuple[str, ...]]) -> bytes:
    columns = ("kill_status", "query_id", "user", "query")
    if not rows:
        return ("SELECT " + ", ".join(f"'' AS {name}" for name in columns) + " LIMIT 0").encode()
    values = ", ".join("(" + ", ".join(quoted(value) for value in row) + ")" for row in rows)
    structure = ", ".join(f"{name} String" for name in columns)
    return f"SELECT * FROM values('{structure}', {values})".encode()  # noqa: S608  (quoted)
