"""The declaration of a processor: where from, what is done, where to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import polars as pl

from common.columns import Table
from common.streams import Stream

REFUSED_SCHEMA = {"offset": pl.UInt64, "reason": pl.String}


@dataclass(frozen=True)
class Made:
    """
    What a transform gives for a batch.

    `rows` go to the target; `refused` names rows of the input (offset, reason) that are set aside whole; `wanted` are
    words for a set that the fleet keeps in Redis, by its key.
    """

    rows: pl.DataFrame
    refused: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REFUSED_SCHEMA))
    wanted: dict[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Lookup:
    """
    Knowledge from ClickHouse that a batch needs: `keys` says for what, `sql` has the parameter {keys:Array(String)}.

    The answer is a frame with `schema`, whose first column is the key. A known key is remembered, an unknown one asked
    again with the next batch.
    """

    keys: Callable[[pl.DataFrame], pl.Series]
    sql: str
    schema: dict[str, type[pl.DataType]]


@dataclass(frozen=True)
class Processor:
    """One consumer group on one stream, and the pure function between it and the target."""

    program: str
    source: Stream
    transform: Callable[[pl.DataFrame, pl.DataFrame], Made]
    target: Stream | Table
    lookup: Lookup | None = None


def identity(frame: pl.DataFrame, _: pl.DataFrame) -> Made:
    """Return the rows as they came: the whole of what a writer does."""
    return Made(frame)
