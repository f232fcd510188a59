"""
Rows into a table exactly once, whatever happens to the connection, the engine or us.

Repeating an insert under one token is not enough: an engine killed between its deduplication log and its part loses
rows although it knows the token (reproduced). So whenever the outcome is in doubt: repeat under the same token, make
sure nothing of it still runs, ask which rows stand there, and insert the difference under the next token.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import count
from typing import Protocol, TypeVar, cast

import polars as pl

from common.backoff import delays_s
from common.columns import Table, columns_of_a_row
from common.errors import StoreRefused
from common.log import logger
from common.refusals import is_about_content
from processors.manifest import Manifest
from processors.processor import REFUSED_SCHEMA

log = logger("delivery")

T = TypeVar("T")
RUNNING_S = 0.2  # between two looks whether an insert of somebody else still runs

Failed = Callable[[str], None]
Sleep = Callable[[float], Awaitable[None]]
Rename = Callable[[int, bytes], Awaitable[object]]


class Shelf(Protocol):
    """The part of a store that delivery needs."""

    async def insert(self, table: Table, frame: pl.DataFrame, token: str) -> None:
        """Insert under a token."""

    async def rows(self, table: Table, *, shard: int, numbers: tuple[int, int]) -> pl.DataFrame:
        """Return what tells the rows from others that stand under the numbers of a shard."""

    async def end(self, table: Table, *, shard: int, start: int) -> int:
        """Return the running number behind the last row from `start` on, 0 when there is none."""

    async def standing(self, table: Table, venues: Sequence[str], event_ns: tuple[int, int]) -> pl.DataFrame:
        """Return the identity and the place (`stands_at`) of rows that happened between two times."""

    async def remove(self, table: Table, *, shard: int, offsets: Sequence[int], token: str) -> None:
        """Take rows out of a table, each when it stands in the one beside."""

    async def is_running(self, token: str) -> bool:
        """Return whether an insert under the token is at work."""


class Delivery:
    """Brings batches into one table."""

    def __init__(
        self, store: Shelf, table: Table, rename: Rename, failed: Failed, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._store = store
        self._table = table
        self._rename = rename  # the next token must be in Redis before it is used
        self._failed = failed
        self._sleep = sleep

    async def store(self, frame: pl.DataFrame, manifest: Manifest, *, in_doubt: bool) -> pl.DataFrame:
        """
        Return when every row stands in the table once, with (offset, reason) of those that the table cannot hold.

        Args:
            frame: the table's columns, one shard's rows.
            manifest: the name of the batch, already in Redis.
            in_doubt: whether somebody may have tried before.
        """
        refused = pl.DataFrame(schema=REFUSED_SCHEMA)
        if frame.is_empty():
            return refused
        if not in_doubt and not manifest.doubtful:
            try:
                await self._store.insert(self._table, frame, manifest.token)
            except StoreRefused as error:
                self._failed(str(error))
                log.warning("delivery.in_doubt", table=self._table.name, token=manifest.token, reason=str(error))
            else:
                return refused
        return await self._settle(frame, manifest)

    async def end(self, shard: int, start: int) -> int:
        """Return the running number behind the last row of a shard from `start` on, 0 when there is none."""
        return await self._store.end(self._table, shard=shard, start=start)

    async def rest(self, family: str) -> None:
        """Return when no insert runs any more that an earlier owner has left behind; its tokens begin with `family`."""
        while await self._store.is_running(family):
            await self._sleep(RUNNING_S)

    async def repeated(self, frame: pl.DataFrame) -> pl.Series:
        """Return the offsets of records that were fetched or made a second time, and stand under other numbers."""
        doubtful = frame.filter(pl.col("source") != "live")
        if doubtful.is_empty():
            return doubtful["offset"]
        both = doubtful.join(await self.standing(doubtful), on=self._table.identity, maintain_order="left")
        return both.filter(pl.col("offset") != pl.col("stands_at"))["offset"].unique(maintain_order=True)

    async def standing(self, frame: pl.DataFrame, *, around_ns: int = 0) -> pl.DataFrame:
        """Return the identity and the place (`stands_at`) of all rows that happened when those of a frame did."""
        venues, (first_ns, last_ns) = frame["venue"].unique().to_list(), _times_ns(frame, "event_time")
        times_ns = first_ns - around_ns, last_ns + around_ns
        return await self._insist(partial(self._store.standing, self._table, venues, times_ns))

    async def remove(self, shard: int, offsets: Sequence[int], token: str) -> None:
        """Take rows that stand in the table out of it, into the one beside; some may be left."""
        await self._insist(partial(self._store.remove, self._table, shard=shard, offsets=offsets, token=token))

    async def complete(self, frame: pl.DataFrame, manifest: Manifest) -> pl.DataFrame:
        """Store what does not stand in the table yet, looking first; return (offset, reason) of what it cannot hold."""
        refused = pl.DataFrame(schema=REFUSED_SCHEMA)
        for attempt in count():
            whole = frame.join(refused, on="offset", how="anti", maintain_order="left")
            missing = await self._missing(whole, manifest)
            if missing.is_empty():
                break
            refused = pl.concat([refused, await self._repeat(missing, f"{manifest.token}/beside/{attempt}")])
        return refused

    async def _insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Return what ClickHouse answers, asked until it does."""
        for pause_s in delays_s(first_s=0.2, ceiling_s=10.0):
            try:
                return await ask()
            except StoreRefused as error:
                self._failed(str(error))
                log.warning("delivery.waiting", table=self._table.name, pause_s=round(pause_s, 2), reason=str(error))
                await self._sleep(pause_s)
        raise AssertionError  # the delays never end

    async def _settle(self, frame: pl.DataFrame, manifest: Manifest) -> pl.DataFrame:
        if self._table.engine != "MergeTree":
            # It keeps the newest version of a record only: others seem missing for ever, and a repeat is harmless.
            manifest = manifest.next_round(frame["offset"])
            await self._rename(manifest.start, manifest.encode())
            return await self._repeat(frame, manifest.token)
        refused = pl.DataFrame(schema=REFUSED_SCHEMA)
        if not manifest.doubtful:
            refused = await self._repeat(manifest.named_rows(frame), manifest.token)
        while True:
            whole = frame.join(refused, on="offset", how="anti", maintain_order="left")
            missing = await self._missing(whole, manifest)
            if missing.is_empty():
                return refused
            manifest = manifest.next_round(missing["offset"])
            log.warning("delivery.difference", table=self._table.name, rows=len(missing), token=manifest.token)
            await self._rename(manifest.start, manifest.encode())
            refused = pl.concat([refused, await self._repeat(missing, manifest.token)])

    async def _repeat(self, frame: pl.DataFrame, token: str) -> pl.DataFrame:
        """Insert until the engine says yes, or that rows are at fault; then find those by halving."""
        for pause_s in delays_s(first_s=0.2, ceiling_s=10.0):
            try:
                await self._store.insert(self._table, frame, token)
            except StoreRefused as error:
                self._failed(str(error))
                if is_about_content(error):
                    return await self._halve(frame, token, reason=str(error))
                log.warning("delivery.waiting", table=self._table.name, pause_s=round(pause_s, 2), reason=str(error))
                await self._sleep(pause_s)
            else:
                break
        return pl.DataFrame(schema=REFUSED_SCHEMA)

    async def _halve(self, frame: pl.DataFrame, token: str, *, reason: str) -> pl.DataFrame:
        if len(frame) == 1:
            return frame.select("offset", reason=pl.lit(reason))
        middle = len(frame) // 2
        halves = frame[:middle], frame[middle:]
        return pl.concat([await self._repeat(half, f"{token}/{half['offset'][0]}+{len(half)}") for half in halves])

    async def _missing(self, frame: pl.DataFrame, manifest: Manifest) -> pl.DataFrame:
        if frame.is_empty():
            return frame
        for pause_s in delays_s(first_s=0.2, ceiling_s=10.0):
            try:
                if not await self._store.is_running(manifest.family):
                    numbers = manifest.start, manifest.stop
                    stand = await self._store.rows(self._table, shard=int(frame["shard"][0]), numbers=numbers)
                    return frame.join(stand, on=columns_of_a_row(self._table), how="anti", maintain_order="left")
            except StoreRefused as error:
                self._failed(str(error))
                log.warning("delivery.waiting", table=self._table.name, pause_s=round(pause_s, 2), reason=str(error))
            await self._sleep(pause_s)
        raise AssertionError  # the delays never end


def _times_ns(frame: pl.DataFrame, column: str) -> tuple[int, int]:
    """Return between which times the rows of a table's frame lie."""
    times = frame[column].dt.epoch("ns")
    return cast("int", times.min()), cast("int", times.max())
