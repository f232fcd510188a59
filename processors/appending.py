"""Rows and dead letters as entries for other shards, which a commit carries."""

import json
from collections.abc import Mapping, Sequence
from functools import cache

import msgspec
import polars as pl

from common.codec import encode
from common.packing import Entry, pack
from common.records import DeadLetter, Record
from common.redis_streams import Shard
from common.streams import DEAD_LETTERS, Stream, shard_of

Layout = Mapping[Stream, Sequence[Shard]]


def counts_of(rows: Mapping[Stream, pl.DataFrame]) -> dict[str, int]:
    """Return how many rows there are, by topic."""
    return {stream.topic: len(frame) for stream, frame in rows.items()}


def letters_of(letters: Sequence[DeadLetter], layout: Layout) -> dict[Shard, Sequence[Entry]]:
    """Return dead letters as what a commit carries."""
    return entries_of(letters, {}, layout)


def entries_of(
    letters: Sequence[DeadLetter], rows: Mapping[Stream, pl.DataFrame], layout: Layout
) -> dict[Shard, Sequence[Entry]]:
    """Return what a commit carries to other shards."""
    entries: dict[Shard, Sequence[Entry]] = {}
    for stream, frame in rows.items():
        for shard, part in _by_shard(frame, layout[stream]):
            entries[shard] = pack(lines_of(part, stream))
    if letters:
        shard = layout[DEAD_LETTERS][0]
        entries[shard] = [*entries.get(shard, ()), *pack(encode(letter) for letter in letters)]
    return entries


def _by_shard(rows: pl.DataFrame, shards: Sequence[Shard]) -> list[tuple[Shard, pl.DataFrame]]:
    if rows.is_empty():
        return []
    if len(shards) == 1:
        return [(shards[0], rows)]
    names = rows.select("venue", "symbol").unique()
    numbers = [shard_of(venue, symbol, len(shards)) for venue, symbol in names.iter_rows()]
    placed = rows.join(names.with_columns(pl.Series("_shard", numbers)), on=("venue", "symbol"), maintain_order="left")
    parts = placed.partition_by("_shard", as_dict=True, include_key=False, maintain_order=True)
    return [(shards[int(number)], part) for (number,), part in parts.items()]


def lines_of(rows: pl.DataFrame, stream: Stream) -> list[bytes]:
    """Return rows as JSON lines; a missing value is left out where the record has one of its own for it."""
    if any(rows[name].null_count() for name in rows.columns if name not in _nullable(stream.record)):
        return [
            json.dumps(
                {name: value for name, value in row.items() if value is not None}, separators=(",", ":")
            ).encode()
            for row in rows.iter_rows(named=True)
        ]
    return rows.write_ndjson().encode().splitlines()


@cache
def _nullable(record_type: type[Record]) -> frozenset[str]:
    """Return the fields for which None is a value: spelt out it reads as if left out, and is written much faster."""
    return frozenset(field.name for field in msgspec.structs.fields(record_type) if field.default is None)
