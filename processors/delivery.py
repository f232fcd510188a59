"""
Rows into a table exactly once, whatever happens to the connection, the engine or us.

Repeating an insert under one token is not enough: an engine killed between its deduplication log and its part loses
rows although it knows the token (reproduced). So whenever the outcome is in doubt: repeat under the same token, make
sure nothing of it still runs, ask which rows stand there, and insert the difference under the next token.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

import polars as pl

from common.backoff import delays_s
from common.clickhouse import is_about_content
from common.columns import Table
from common.errors import StoreRefused
from common.log import logger
from processors.manifest import Manifest
from processors.processor import REFUSED_SCHEMA

log = logger("delivery")

Failed = Callable[[str], None]
Sleep = Callable[[float], Awaitable[None]]
Rename = Callable[[int, bytes], Awaitable[object]]


class Shelf(Protocol):
    """The part of a store that delivery needs."""

    async def insert(self, table: Table, frame: pl.DataFrame, token: str) -> None:
        """Insert under a token."""

    async def offsets(
        self, table: Table, *, shard: int, numbers: tuple[int, int], received_ns: tuple[int, int]
    ) -> pl.Series:
        """Return the offsets that stand in the table, of rows received between two times."""

    async def end(self, table: Table, *, shard: int, start: int) -> int:
        """Return the running number behind the last row from `start` on, 0 when there is none."""

    async def derived(self, table: Table, received_ns: tuple[int, int]) -> pl.DataFrame:
        """Return (venue, symbol, trade_id, stands_at) of derived rows received between two times."""

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

    async def repeated(self, frame: pl.DataFrame) -> pl.Series:
        """Return the offsets of derived trades that stand under other numbers already."""
        derived = frame.filter(pl.col("source") == "derived")
        if derived.is_empty():
            return derived["offset"]
        for pause_s in delays_s(first_s=0.2, ceiling_s=10.0):
            try:
                stand = await self._store.derived(self._table, _received_ns(derived))
            except StoreRefused as error:
                self._failed(str(error))
                log.warning("delivery.waiting", table=self._table.name, pause_s=round(pause_s, 2), reason=str(error))
                await self._sleep(pause_s)
            else:
                both = derived.join(stand, on=("venue", "symbol", "trade_id"), maintain_order="left")
                return both.filter(pl.col("offset") != pl.col("stands_at"))["offset"].unique(maintain_order=True)
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
                    stands = await self._store.offsets(
                        self._table,
                        shard=int(frame["shard"][0]),
                        numbers=(manifest.start, manifest.stop),
                        # A server that lost its newest records gives their numbers again: those rows are others.
                        received_ns=_received_ns(frame),
                    )
                    return frame.filter(~pl.col("offset").is_in(stands.implode()))
            except StoreRefused as error:
                self._failed(str(error))
                log.warning("delivery.waiting", table=self._table.name, pause_s=round(pause_s, 2), reason=str(error))
            await self._sleep(pause_s)
        raise AssertionError  # the delays never end


def _received_ns(frame: pl.DataFrame) -> tuple[int, int]:
    """Return between which times the rows of a table's frame were received."""
    times = frame["received_time"].dt.epoch("ns")
    return cast("int", times.min()), cast("int", times.max())
