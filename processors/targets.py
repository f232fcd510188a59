"""Where the rows of a batch go: into a table, or with the commit into another stream."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from common.codec import encode
from common.columns import Table
from common.packing import Entry, pack
from common.records import DeadLetter
from common.redis_streams import Shard
from common.streams import shard_of
from processors.batch import Batch, Content, Manifest, refused_letters
from processors.delivery import Delivery
from processors.frames import table_frame, unfit
from processors.processor import Made


@dataclass(frozen=True)
class Delivered:
    """What the commit of a batch must carry: entries for further shards; `rows` and `dead` are for the figures."""

    entries: dict[Shard, Sequence[Entry]]
    rows: int
    dead: int


class Target(Protocol):
    """Where a processor's rows go."""

    async def deliver(self, batch: Batch, content: Content, made: Made, named: "Named") -> Delivered:
        """Bring the rows where they belong."""


@dataclass(frozen=True)
class Named:
    """A manifest that is in Redis, and whether somebody may have written under it before."""

    manifest: Manifest
    in_doubt: bool


class TableTarget:
    """Rows into a table, exactly once; what cannot be stored becomes dead letters."""

    def __init__(self, table: Table, delivery: Delivery, dead_letters: Shard) -> None:
        self._table = table
        self._delivery = delivery
        self._dead_letters = dead_letters

    async def deliver(self, batch: Batch, content: Content, made: Made, named: Named) -> Delivered:
        """Return when the rows stand; the dead letters go with the commit."""
        try:
            fitting, bad = table_frame(made.rows, self._table), made.refused
        except pl.exceptions.InvalidOperationError:
            bad = pl.concat([made.refused, unfit(made.rows, self._table)])
            fitting = table_frame(made.rows.join(bad, on="offset", how="anti", maintain_order="left"), self._table)
        refused = await self._delivery.store(fitting, named.manifest, in_doubt=named.in_doubt)
        letters = [*content.dead, *refused_letters(batch, content, pl.concat([bad, refused]))]
        return Delivered(_letters(letters, self._dead_letters), len(fitting) - len(refused), len(letters))


class StreamTarget:
    """Rows as records into another stream, in the transaction that commits their batch."""

    def __init__(self, shards: Sequence[Shard], dead_letters: Shard) -> None:
        self._shards = shards
        self._dead_letters = dead_letters

    async def deliver(self, batch: Batch, content: Content, made: Made, named: Named) -> Delivered:
        """Return the entries; nothing is written before the commit, so nothing can be in doubt."""
        del named
        letters = [*content.dead, *refused_letters(batch, content, made.refused)]
        entries = _letters(letters, self._dead_letters)
        for shard, rows in self._by_shard(made.rows):
            entries[shard] = pack(_lines(rows))
        return Delivered(entries, len(made.rows), len(letters))

    def _by_shard(self, rows: pl.DataFrame) -> list[tuple[Shard, pl.DataFrame]]:
        if rows.is_empty():
            return []
        if len(self._shards) == 1:
            return [(self._shards[0], rows)]
        names = rows.select("venue", "symbol").unique()
        numbers = [shard_of(venue, symbol, len(self._shards)) for venue, symbol in names.iter_rows()]
        placed = rows.join(
            names.with_columns(pl.Series("_shard", numbers)), on=("venue", "symbol"), maintain_order="left"
        )
        parts = placed.partition_by("_shard", as_dict=True, include_key=False, maintain_order=True)
        return [(self._shards[int(number)], part) for (number,), part in parts.items()]


def _lines(rows: pl.DataFrame) -> list[bytes]:
    """Return rows as JSON lines; a missing value is left out, as the records' encoder does."""
    if any(rows[name].null_count() for name in rows.columns):
        return [
            json.dumps(
                {name: value for name, value in row.items() if value is not None}, separators=(",", ":")
            ).encode()
            for row in rows.iter_rows(named=True)
        ]
    return rows.write_ndjson().encode().splitlines()


def _letters(letters: Sequence[DeadLetter], shard: Shard) -> dict[Shard, Sequence[Entry]]:
    return {shard: pack(encode(letter) for letter in letters)} if letters else {}
