"""The only module that speaks ClickHouse: insert under a token, ask what stands there, query frames."""

import asyncio
import io
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

import clickhouse_connect
import polars as pl
import urllib3
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from common.columns import Table, columns_of_a_row, records_of
from common.errors import StoreRefused
from common.refusals import is_about_password
from common.settings import Settings

__all__ = ["Client", "Store", "connect"]

# Asynchronous inserts are the engine's default since 26.x and would answer before the rows stand.
INSERT_SETTINGS = {
    "async_insert": 0,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "max_partitions_per_insert_block": 1000,  # a walk through years of history is one batch
}
CHUNK_BYTES = 2**20
MOMENT = pl.Datetime("ns", "UTC")
FAILURES = (ClickHouseError, urllib3.exceptions.HTTPError, OSError)
T = TypeVar("T")


def connect(settings: Settings, *, database: str | None = None) -> Client:
    """
    Return a client for one thread at a time per call; it has no session, so calls may run side by side.

    Raises:
        StoreRefused: no answer, or the user is refused.
    """
    try:
        return clickhouse_connect.get_client(
            host=settings.clickhouse_host or "127.0.0.1",
            port=settings.clickhouse_port,
            username=settings.clickhouse_user,
            password=settings.secret("clickhouse_password"),
            database=database if database is not None else settings.clickhouse_database,
            secure=settings.clickhouse_secure,
            ca_cert=str(settings.clickhouse_ca_file) if settings.clickhouse_ca_file else None,
            compress=not settings.embedded_clickhouse,
            autogenerate_session_id=False,
            connect_timeout=5,
            send_receive_timeout=120,
            query_retries=0,
        )
    except (ClickHouseError, urllib3.exceptions.HTTPError) as error:
        refused = _refused("connect", error)
        if is_about_password(refused):
            refused.reason += f"; {settings.renewal('clickhouse_password')}"
        raise refused from error


class Store:
    """
    ClickHouse for the processors; every call runs in a thread, so that the loop goes on.

    `renew` makes another client when the server has come to want another password.
    """

    def __init__(self, client: Client, renew: Callable[[], Client] | None = None) -> None:
        self._client = client
        self._renew = renew

    async def insert(self, table: Table, frame: pl.DataFrame, token: str) -> None:
        """
        Insert a frame in the table's columns; a repeat under the same token is dropped by the engine.

        Raises:
            StoreRefused: with code 0 the outcome is unknown, else nothing or a part of it was stored.
        """
        await asyncio.to_thread(self._insert, table, frame, token)

    def _insert(self, table: Table, frame: pl.DataFrame, token: str) -> None:
        body = io.BytesIO()
        frame = frame.select(column for column in frame if not _says_nothing(column))
        frame.write_ipc_stream(body, compat_level=pl.CompatLevel.oldest())
        settings: dict[str, Any] = {**INSERT_SETTINGS, "insert_deduplication_token": token, "query_id": query_id(token)}
        told = (table.name, frame.columns, body.getvalue())
        self._ask(f"insert into {table.name}", lambda to: to.raw_insert(*told, settings=settings, fmt="ArrowStream"))

    async def rows(self, table: Table, *, shard: int, numbers: tuple[int, int]) -> pl.DataFrame:
        """Return what tells rows from others, `columns_of_a_row`, of the offsets from..to (exclusive) of a shard."""
        columns = columns_of_a_row(table)
        sql = (
            f"SELECT DISTINCT {', '.join(columns)} FROM {records_of(table, ('shard', *columns))} "  # noqa: S608  from TABLES
            "WHERE shard = {shard:UInt16} AND offset >= {start:UInt64} AND offset < {stop:UInt64}"
        )
        frame = await self.query(sql, {"shard": shard, "start": numbers[0], "stop": numbers[1]})
        names = pl.col(table.identity).cast(pl.String)
        return frame.with_columns(names, pl.col("offset").cast(pl.UInt64), pl.col("received_time").cast(MOMENT))

    async def standing(self, table: Table, venues: Sequence[str], event_ns: tuple[int, int]) -> pl.DataFrame:
        """Return the identity and the place (`stands_at`) of some venues' rows that happened between two times."""
        sql = (
            f"SELECT {', '.join(table.identity)}, offset AS stands_at FROM {table.name} "  # noqa: S608  from TABLES
            "WHERE venue IN {venues:Array(String)} AND event_time BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}) "
            "AND fromUnixTimestamp64Nano({last_ns:Int64})"
        )
        frame = await self.query(sql, {"venues": list(venues), "first_ns": event_ns[0], "last_ns": event_ns[1]})
        return frame.with_columns(pl.col(table.identity).cast(pl.String))

    async def end(self, table: Table, *, shard: int, start: int) -> int:
        """Return the running number behind the last row of a shard from `start` on, 0 when there is none."""
        sql = (
            "SELECT if(count() = 0, 0, max(offset) + 1) AS stop "  # noqa: S608  from TABLES
            f"FROM {records_of(table, ('shard', 'offset'))} "
            "WHERE shard = {shard:UInt16} AND offset >= {start:UInt64}"
        )
        frame = await self.query(sql, {"shard": shard, "start": start})
        return int(frame["stop"][0])

    async def remove(self, table: Table, *, shard: int, offsets: Sequence[int], token: str) -> None:
        """Take rows out of a table, each when it stands in the one beside; a repeat takes out what is left."""
        columns = ", ".join(column.name for column in table.all_columns)
        ours = "shard = {shard:UInt16} AND offset IN {offsets:Array(UInt64)}"
        beside = f"SELECT offset FROM {table.removed} WHERE {ours}"  # noqa: S608  from TABLES
        moved = f"SELECT {columns} FROM {table.name} WHERE {ours} AND offset NOT IN ({beside})"  # noqa: S608
        asked, named = {"shard": shard, "offsets": list(offsets)}, {"insert_deduplication_token": token}
        settings = {**INSERT_SETTINGS, **named, "query_id": query_id(token)}
        await self.command(f"INSERT INTO {table.removed} ({columns}) {moved}", asked, settings)
        await self.command(f"DELETE FROM {table.name} WHERE shard = {{shard:UInt16}} AND offset IN ({beside})", asked)  # noqa: S608

    async def is_running(self, token: str) -> bool:
        """Return whether an insert under this token is still at work in the engine."""
        sql = "SELECT count() AS n FROM system.processes WHERE startsWith(query_id, {id:String})"
        frame = await self.query(sql, {"id": query_id(token)})
        return bool(frame["n"][0])

    async def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pl.DataFrame:
        """Return the answer as a frame; raise StoreRefused when there is none."""
        return await asyncio.to_thread(self._query, sql, parameters)

    def _query(self, sql: str, parameters: Mapping[str, Any] | None) -> pl.DataFrame:
        asked = dict(parameters or {})
        body = self._ask("query", lambda of: of.raw_query(sql, parameters=asked, fmt="ArrowStream"))
        return pl.read_ipc_stream(body) if body else pl.DataFrame()

    def stream(
        self,
        sql: str,
        fmt: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        limits: Mapping[str, Any] | None = None,
        readonly: Literal[1, 2] = 2,
    ) -> Generator[bytes]:
        """
        Yield the answer in a format of ClickHouse, piece by piece; the engine refuses whatever is not reading.

        `limits` are settings of the engine, e.g. `max_execution_time`. Under `readonly` 2 the statement may change
        them and read from elsewhere; under 1 it may not, which a user who has 2 himself cannot ask for.
        """
        asked, chosen = dict(parameters or {}), {**(limits or {}), "readonly": readonly}
        body: Any = self._ask("query", lambda of: of.raw_stream(sql, parameters=asked, fmt=fmt, settings=chosen))
        try:
            yield from iter(partial(body.read, CHUNK_BYTES), b"")
        except FAILURES as error:
            raise _refused("query", error) from error
        finally:
            body.close()  # whoever reads no further lets the engine stop

    async def command(
        self, sql: str, parameters: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None
    ) -> None:
        """Run a statement that answers nothing."""
        asked, chosen, what = dict(parameters or {}), dict(settings or {}), sql.split(maxsplit=1)[0].lower()
        await asyncio.to_thread(self._ask, what, lambda of: of.command(sql, asked, settings=chosen))

    def _ask(self, what: str, ask: Callable[[Client], T]) -> T:
        try:
            return ask(self._client)
        except FAILURES as error:
            refused = _refused(what, error)
            if self._renew is None or not is_about_password(refused):
                raise refused from error
        self._client = self._renew()
        try:
            return ask(self._client)
        except FAILURES as error:
            raise _refused(what, error) from error


def _says_nothing(column: pl.Series) -> bool:
    """Return whether a column is what the engine fills in by itself: sending it would cost and say nothing."""
    return column.null_count() == len(column) or (column.dtype == pl.String and bool((column == "").all()))


def query_id(token: str) -> str:
    """Return the query id under which an insert is found in system.processes."""
    return f"tickfleet:{token}"


def _refused(what: str, error: Exception) -> StoreRefused:
    code = getattr(error, "code", 0)
    text = str(error).strip()
    # Where no connection comes about, the cause stands behind the whole address of the question, with every setting.
    cause = text.partition("(Caused by ")[2]
    told = re.search(r"\[Errno -?\d+\] ([^'\")\]]+)", cause)
    reason = told[1].strip().lower() if told else (cause or text).partition("\n")[0]
    return StoreRefused(what, code=code if isinstance(code, int) else 0, reason=reason[:500])
