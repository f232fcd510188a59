"""The declaration of a processor: where from, what is done, where to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import polars as pl

from common.columns import Table
from common.settings import Settings
from common.streams import Stream

REFUSED_SCHEMA = {"offset": pl.UInt64, "reason": pl.String}


@dataclass(frozen=True)
class Made:
    """
    What a transform gives for a batch.

    `rows` go to the target; `refused` names rows of the input (offset, reason) that are set aside whole; `wanted` are
    words for a set that the fleet keeps in Redis, by its key; `also` are rows for further streams, appended in the
    transaction that commits the batch.
    """

    rows: pl.DataFrame
    refused: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REFUSED_SCHEMA))
    wanted: Mapping[str, Sequence[str]] = field(default_factory=dict)
    also: Mapping[Stream, pl.DataFrame] = field(default_factory=dict)


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


class State(Protocol):
    """
    What a stateful processor remembers of one shard.

    It depends on the records and their order alone: not on how they are cut into batches, and on no clock. Time in a
    shard is the largest `received_ns` seen in it. So turning the same records again gives the same rows again.
    """

    def turn(self, frame: pl.DataFrame, knowledge: pl.DataFrame, /) -> Made:
        """Take the next records of the shard; return what they give."""

    def save(self) -> bytes:
        """Return everything, so that a state made of these bytes goes on as this one would."""


@runtime_checkable
class Timed(State, Protocol):
    """
    A state to which the time of its shard matters, and that is told how long the shard has been silent.

    What it gives then is what the next record would have had it give first, if it reaches us no earlier: so what is
    told in the end depends on the records alone, and only when it is told on a clock.
    """

    @property
    def oldest_ns(self) -> int:
        """Return the earliest time at which one of its symbols is."""

    def rest(self, silent_ns: int, knowledge: pl.DataFrame, /) -> Made | None:
        """Let the shard's time go on to `silent_ns` behind its newest record; return what is over, None for nothing."""


@dataclass(frozen=True)
class Copy:
    """Dated files on the local disk, with the columns of a table."""

    table: Table


def always_on(_: Settings) -> str | None:
    """Return None: there is no reason not to run."""
    return None


@dataclass(frozen=True)
class Processor:
    """
    One consumer group on one stream, and what is between it and the target: a pure function, or a state.

    `why_off` says why it is not to run under these settings; streams do not wait for a group that is off.

    `state` makes one from saved bytes, b"" for a beginning, and raises UnreadableCheckpoint (or msgspec.DecodeError)
    for bytes that an earlier version of it saved and that it cannot read.
    """

    program: str
    source: Stream
    transform: Callable[[pl.DataFrame, pl.DataFrame], Made] | None
    target: Stream | Table | Copy
    lookup: Lookup | None = None
    state: Callable[[bytes], State] | None = None
    why_off: Callable[[Settings], str | None] = always_on

    def __post_init__(self) -> None:
        if (self.transform is None) == (self.state is None):
            raise ValueError(f"{self.program}: expected a transform or a state, found both or neither")


def identity(frame: pl.DataFrame, _: pl.DataFrame) -> Made:
    """Return the rows as they came: the whole of what a writer does."""
    return Made(frame)
