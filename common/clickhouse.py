"""The only module that speaks ClickHouse: insert under a token, ask what stands there, query frames."""

import asyncio
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import clickhouse_connect
import polars as pl
import urllib3
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from common.columns import Table, records_of
from common.errors import StoreRefused
from common.settings import Settings

__all__ = ["Client", "Store", "connect", "is_about_content"]

# Asynchronous inserts are the engine's default since 26.x and would answer before the rows stand.
INSERT_SETTINGS = {
    "async_insert": 0,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "max_partitions_per_insert_block": 1000,  # a walk through years of history is one batch
}
CHUNK_BYTES = 2**20
MOMENT = pl.Datetime("ns", "UTC")
# What the engine says of the rows themselves: repeating cannot help, setting the guilty ones aside does.
# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
CONTENT_CODES = frozenset({6, 25, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 131, 321, 349, 395, 407, 469, 691})


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
            password=settings.clickhouse_password.get_secret_value(),
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
        raise _refused("connect", error) from error


class Store:
    """ClickHouse for the processors; every call runs in a thread, so that the loop goes on."""

    def __init__(self, client: Client) -> None:
        self._client = client

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
        try:
            self._client.raw_insert(table.name, frame.columns, body.getvalue(), settings=settings, fmt="ArrowStream")
        except (ClickHouseError, urllib3.exceptions.HTTPError, OSError) as error:
            raise _refused(f"insert into {table.name}", error) from error

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
        try:
            body = self._client.raw_query(sql, parameters=dict(parameters or {}), fmt="ArrowStream")
        except (ClickHouseError, urllib3.exceptions.HTTPError, OSError) as error:
            raise _refused("query", error) from error
        return pl.read_ipc_stream(body) if body else pl.DataFrame()

    def stream(
        self,
        sql: str,
        fmt: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        limits: Mapping[str, Any] | None = None,
    ) -> Iterator[bytes]:
        """
        Yield the answer in a format of ClickHouse, piece by piece; the engine refuses whatever is not reading.

        `limits` are settings of the engine, e.g. `max_execution_time`.
        """
        try:
            # 2 and not 1: the driver sends settings of its own, which 1 would refuse. Neither lets anything be written.
            body: Any = self._client.raw_stream(
                sql, parameters=dict(parameters or {}), fmt=fmt, settings={**(limits or {}), "readonly": 2}
            )
            yield from iter(partial(body.read, CHUNK_BYTES), b"")
        except (ClickHouseError, urllib3.exceptions.HTTPError, OSError) as error:
            raise _refused("query", error) from error

    async def command(
        self, sql: str, parameters: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None
    ) -> None:
        """Run a statement that answers nothing."""
        try:
            await asyncio.to_thread(self._client.command, sql, dict(parameters or {}), settings=dict(settings or {}))
        except (ClickHouseError, urllib3.exceptions.HTTPError, OSError) as error:
            raise _refused(sql.split(maxsplit=1)[0].lower(), error) from error


def _says_nothing(column: pl.Series) -> bool:
    """Return whether a column is what the engine fills in by itself: sending it would cost and say nothing."""
    return column.null_count() == len(column) or (column.dtype == pl.String and bool((column == "").all()))


def columns_of_a_row(table: Table) -> tuple[str, ...]:
    """Return the columns by which a row is known: a server that lost its newest records gives their numbers again."""
    return ("offset", "received_time", *table.identity)


def query_id(token: str) -> str:
    """Return the query id under which an insert is found in system.processes."""
    return f"tickfleet:{token}"


def is_about_content(error: StoreRefused) -> bool:
    """Return whether the rows themselves are at fault."""
    return error.code in CONTENT_CODES


def _refused(what: str, error: Exception) -> StoreRefused:
    code = getattr(error, "code", 0)
    first_line = str(error).strip().partition("\n")[0]
    return StoreRefused(what, code=code if isinstance(code, int) else 0, reason=first_line[:500])
