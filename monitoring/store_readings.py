"""What the dashboard asks ClickHouse: bounded questions, one at a time, none that reads the data itself."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

from common.clickhouse import Store, connect
from common.clock import NS_PER_S, monotonic_s
from common.errors import StoreRefused, Unreachable
from common.settings import Settings

ANSWER_S = 4.0
COUNT_EVERY_S = 15.0
LONGEST_REASON = 160

# A part of level 0 is an insert, one of level 1 may be (a ReplacingMergeTree thins out what it is given), the others
# are merges; the engine keeps the row of a part that was merged away for some minutes.
TABLES = """
SELECT t.name AS name, t.engine AS engine, t.total_rows AS total_rows, p.bytes AS bytes, p.parts AS parts,
       p.inserted_s AS inserted_s
FROM system.tables AS t
LEFT JOIN (
    SELECT table, sumIf(bytes_on_disk, active) AS bytes, countIf(active) AS parts,
           toUnixTimestamp(maxIf(modification_time, level <= 1)) AS inserted_s
    FROM system.parts WHERE database = {database:String} GROUP BY table
) AS p ON p.table = t.name
WHERE t.database = {database:String} AND NOT t.is_temporary
ORDER BY t.name
SETTINGS max_execution_time = 3
"""
# Views that show the newest version of each fact have no row count of their own.
VIEWS = ("markets", "bars")
COUNT = "SELECT count() AS n FROM {database:Identifier}.{view:Identifier} SETTINGS max_execution_time = 3"
ENGINE = "SELECT version() AS engine"
SCHEMA = "SELECT max(version) AS schema FROM {database:Identifier}.schema_migrations SETTINGS max_execution_time = 3"


@dataclass(frozen=True)
class TableReading:
    """A table or view; what an engine does not tell is None."""

    name: str
    engine: str
    rows: int | None
    size_bytes: int | None
    parts: int | None
    inserted_ns: int | None


@dataclass(frozen=True)
class StoreReading:
    """ClickHouse as of one moment; `schema` is the newest migration applied, None before the first."""

    read_ns: int
    took_ms: float
    version: str
    schema: int | None
    tables: tuple[TableReading, ...]


class StoreReader:
    """
    Asks ClickHouse through one connection, made at the first question; the database may not be there yet.

    A question that is not answered in time is not asked again beside itself: the next reading waits for its answer.
    """

    def __init__(self, connect: Callable[[], Store], database: str) -> None:
        self._connect = connect
        self._database = {"database": database}
        self._store: Store | None = None
        self._asked: asyncio.Task[StoreReading] | None = None
        self._counts: dict[str, int] = {}
        self._inserted_s: dict[str, int] = {}
        self._counted_s = -COUNT_EVERY_S

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return a reader of the server and database of some settings."""
        connected = partial(connect, settings, database="")
        return cls(lambda: Store(connected(), connected), settings.clickhouse_database)

    async def read(self, now_ns: int) -> StoreReading:
        """Return a reading; raise Unreachable when ClickHouse did not give a whole one in time."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(self._read(now_ns))
        try:
            async with asyncio.timeout(ANSWER_S):
                return await asyncio.shield(self._asked)
        except TimeoutError as error:
            raise Unreachable("clickhouse", reason=f"no answer within {ANSWER_S:.0f} s") from error
        except StoreRefused as error:
            raise Unreachable("clickhouse", reason=plain(error.reason)) from error

    async def close(self) -> None:
        """Forget the question that is still open."""
        if self._asked is not None:
            self._asked.cancel()
            await asyncio.wait([self._asked])

    async def _read(self, now_ns: int) -> StoreReading:
        start_s = monotonic_s()
        if self._store is None:
            self._store = await asyncio.to_thread(self._connect)
        rows = (await self._store.query(TABLES, self._database)).to_dicts()
        names = {str(row["name"]) for row in rows}
        engine = (await self._store.query(ENGINE))["engine"][0]
        applied = "schema_migrations" in names
        schema = (await self._store.query(SCHEMA, self._database))["schema"][0] if applied else None
        await self._count(self._store, [view for view in VIEWS if view in names])
        return StoreReading(
            read_ns=now_ns,
            took_ms=(monotonic_s() - start_s) * 1000,
            version=str(engine),
            schema=None if schema is None else int(schema),
            tables=tuple(self._table(row) for row in rows),
        )

    async def _count(self, store: Store, views: list[str]) -> None:
        if monotonic_s() - self._counted_s < COUNT_EVERY_S:
            return
        for view in views:
            self._counts[view] = int((await store.query(COUNT, {**self._database, "view": view}))["n"][0])
        self._counted_s = monotonic_s()

    def _table(self, row: dict[str, object]) -> TableReading:
        name, is_view = str(row["name"]), "View" in str(row["engine"])
        inserted_s = self._inserted_s[name] = max(self._inserted_s.get(name, 0), _whole(row["inserted_s"]) or 0)
        return TableReading(
            name=name,
            engine=str(row["engine"]),
            rows=self._counts.get(name) if is_view else _whole(row["total_rows"]),
            size_bytes=None if is_view else _whole(row["bytes"]),
            parts=None if is_view else _whole(row["parts"]),
            inserted_ns=inserted_s * NS_PER_S if inserted_s else None,
        )


def plain(reason: str, longest: int = LONGEST_REASON) -> str:
    """Return what a driver's long story comes to: the system's own word for it, or its beginning."""
    told = re.search(r"DB::Exception: (.+?)(?: \(version|$)", reason)
    return (told[1] if told else reason)[:longest]


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int) else None
