"""Where the rows of a batch go: into a table, or with the commit into another stream."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import polars as pl

from common.columns import Table
from common.packing import Entry
from common.redis_streams import Shard
from common.streams import Stream
from processors.appending import Layout, counts_of, entries_of
from processors.batch import Batch, Content, refused_letters
from processors.delivery import Delivery
from processors.frames import table_frame, unfit
from processors.manifest import Manifest, family_of
from processors.processor import Made
from processors.removal import Removal

CountOn = Callable[[Shard], Awaitable[object]]


@dataclass(frozen=True)
class Delivered:
    """
    What the commit of a batch must carry: entries for further shards.

    `rows`, by the name of the table or topic, and `dead` are for the figures. `passed` are the running numbers of
    records that stand already under others, `stored` is the number behind the last row that stands in a table now.
    """

    entries: dict[Shard, Sequence[Entry]]
    rows: Mapping[str, int]
    dead: int
    passed: Sequence[int] = ()
    stored: int = 0


class Target(Protocol):
    """Where a processor's rows go."""

    async def deliver(self, batch: Batch, content: Content, made: Made, named: "Named") -> Delivered:
        """Bring the rows where they belong."""

    async def end(self, shard: Shard, start: int, group: str) -> int | None:
        """
        Return the running number behind the last record from `start` on of a shard that stands there, 0 for none.

        None if that is not known there. What an earlier owner of the group's place has left running is over then.
        """

    async def stands(self, shard: Shard, stored: int) -> int:
        """Return up to which running number, `stored` at the most, rows of a shard stand there."""


@dataclass(frozen=True)
class Named:
    """A manifest that is in Redis, and whether somebody may have written under it before."""

    manifest: Manifest
    in_doubt: bool


class TableTarget:
    """Rows into a table, exactly once; what cannot be stored becomes dead letters."""

    def __init__(self, table: Table, delivery: Delivery, layout: Layout, removal: Removal | None = None) -> None:
        self._table = table
        self._delivery = delivery
        self._layout = layout
        self._removal = removal

    async def deliver(self, batch: Batch, content: Content, made: Made, named: Named) -> Delivered:
        """Return when the rows stand; the dead letters go with the commit."""
        try:
            fitting, bad = table_frame(made.rows, self._table), made.refused
        except pl.exceptions.InvalidOperationError:
            bad = pl.concat([made.refused, unfit(made.rows, self._table)])
            fitting = table_frame(made.rows.join(bad, on="offset", how="anti", maintain_order="left"), self._table)
        if self._removal:
            fitting, unheld = await self._removal.carry_out(fitting, named.manifest)
            bad = pl.concat([bad, unheld])
        passed = fitting.clear()["offset"]
        if self._table.identity:
            # Redis may have lost what was fetched or made, now or under an earlier owner: that is done again.
            passed = await self._delivery.repeated(fitting)
            fitting = fitting.filter(~pl.col("offset").is_in(passed.implode()))
        refused = await self._delivery.store(fitting, named.manifest, in_doubt=named.in_doubt)
        letters = [*content.dead, *refused_letters(batch, content, pl.concat([bad, refused]))]
        rows = {self._table.name: len(fitting) - len(refused), **counts_of(made.also)}
        entries = entries_of(letters, made.also, self._layout)
        newest = fitting.join(refused, on="offset", how="anti")["offset"].max()
        has_all = self._table.engine == "MergeTree"  # the others keep the newest version of a record only
        stored = cast("int", newest) + 1 if has_all and newest is not None else 0
        return Delivered(entries, rows, len(letters), passed.to_list(), stored)

    async def end(self, shard: Shard, start: int, group: str) -> int:
        """Return what the table holds when no insert of an earlier owner runs any more."""
        await self._delivery.rest(family_of(group, shard.key))
        return await self._delivery.end(shard.number, start)

    async def stands(self, shard: Shard, stored: int) -> int:
        """Return what the table holds; it may have been restored from a backup."""
        if await self._delivery.end(shard.number, stored - 1):
            return stored
        return await self._delivery.end(shard.number, 0)


class StreamTarget:
    """
    Rows as records into another stream, in the transaction that commits their batch.

    `count_on` has a shard of that stream count on behind what its table holds: a Redis that came back with less would
    give its numbers to others.
    """

    def __init__(self, stream: Stream, layout: Layout, count_on: CountOn) -> None:
        self._stream = stream
        self._layout = layout
        self._count_on = count_on

    async def deliver(self, batch: Batch, content: Content, made: Made, named: Named) -> Delivered:
        """Return the entries; nothing is written before the commit, so nothing can be in doubt."""
        del named
        letters = [*content.dead, *refused_letters(batch, content, made.refused)]
        rows = {**made.also, self._stream: made.rows}
        return Delivered(entries_of(letters, rows, self._layout), counts_of(rows), len(letters))

    async def end(self, shard: Shard, start: int, group: str) -> None:
        """Return None: what a batch gives is appended when it is committed, or not at all."""
        del shard, start, group
        for target in self._layout[self._stream]:
            await self._count_on(target)

    async def stands(self, shard: Shard, stored: int) -> int:
        """Return that nothing is missing: a commit that has lost its entries is lost itself."""
        del shard
        return stored
