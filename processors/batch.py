"""A batch: which entries of a shard it is, under which name it is written, and how its lines become records."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import polars as pl

from common.codec import Origin, dead_letter, decode_alike, decode_line
from common.errors import UnreadableRecord
from common.received import Received
from common.records import DeadLetter, Record
from common.redis_streams import Shard
from processors.frames import frame_of


class Suspicion(msgspec.Struct, frozen=True):
    """
    How warily to go on: records up to `stop` are taken `size` at a time, as a batch of them has killed its process.

    `guilty` is where the stretch ends that is known to hold the record that does it, 0 when none is known.
    """

    stop: int
    size: int
    guilty: int


class Manifest(msgspec.Struct, frozen=True):
    """
    The name of a batch, in Redis before ClickHouse sees a row of it.

    Entries `first_id`..`last_id` of one shard hold the records `start`..`stop` (exclusive). `round` grows when rows
    are missing although the token is known, and a new token is needed: then `parts` are the (start, stop) that it
    stands for, so that whoever comes later can repeat exactly that insert. Rows of a `doubtful` batch may stand there
    under names that nobody knows any more. A `suspicion` tells that a larger batch has killed its process.
    """

    key: str
    group: str
    first_id: str
    last_id: str
    start: int
    stop: int
    round: int = 1
    parts: tuple[tuple[int, int], ...] = ()
    doubtful: bool = False
    suspicion: Suspicion | None = None

    @property
    def records(self) -> int:
        """Return how many records the batch holds, those that are gone included."""
        return self.stop - self.start

    @property
    def token(self) -> str:
        """Return the deduplication token; ids are times, so a token never comes again with other rows."""
        return f"{self.group}/{self.key}/{self.first_id}/{self.start}-{self.stop}/{self.round}"

    @property
    def family(self) -> str:
        """Return how every token of the group in this shard begins."""
        return f"{self.group}/{self.key}/"

    def next_round(self, offsets: pl.Series) -> "Manifest":
        """Return the same batch under the next token, which stands for these of its records only."""
        numbers = offsets.to_numpy()
        edges = np.flatnonzero(np.diff(numbers) != 1) + 1
        parts = tuple((int(part[0]), int(part[-1]) + 1) for part in np.split(numbers, edges))
        return msgspec.structs.replace(self, round=self.round + 1, parts=parts)

    def named_rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of the batch that the token stands for."""
        if not self.parts:
            return frame
        offset = pl.col("offset")
        return frame.filter(pl.any_horizontal((offset >= start) & (offset < stop) for start, stop in self.parts))

    def encode(self) -> bytes:
        """Return the text that is kept in Redis; equal manifests give equal texts."""
        return msgspec.json.encode(self)


def decode_manifest(text: bytes) -> Manifest:
    """Return the manifest that `encode` wrote."""
    return msgspec.json.decode(text, type=Manifest)


@dataclass(frozen=True)
class Batch:
    """
    Entries that follow each other in a shard, from the running number `start` on.

    The last entry of a batch that is `partial` has further records, which the next one holds. A batch reaches at least
    to `least_stop`, although entries of it may be gone.
    """

    shard: Shard
    group: str
    start: int
    entries: tuple[Received, ...]
    partial: bool = False
    least_stop: int = 0

    @property
    def manifest(self) -> Manifest:
        """Return the name of the batch in its first round."""
        ids = self.entries[0].id, self.entries[-1].id
        return Manifest(self.shard.key, self.group, *ids, self.start, self.stop)

    @property
    def stop(self) -> int:
        """Return the running number behind the last record."""
        return max([self.start, self.least_stop, *(entry.stop for entry in self.entries if not entry.flaw)])

    @property
    def ids(self) -> list[str]:
        """Return the ids to acknowledge."""
        return [entry.id for entry in (self.entries[:-1] if self.partial else self.entries)]


@dataclass(frozen=True)
class Content:
    """
    What a batch holds: readable records as a frame with `shard` and `offset`, the rest as dead letters.

    `data` has the bytes of the rows, one a line, so that a row refused later can be set aside whole.
    """

    frame: pl.DataFrame
    data: bytes
    dead: Sequence[DeadLetter]

    def without(self, offsets: Collection[int]) -> "Content":
        """Return the content without some records."""
        return replace(self, frame=self.frame.filter(~pl.col("offset").is_in(list(offsets)))) if offsets else self


def content_of(batch: Batch, *, now_ns: int) -> Content:
    """Return the records of a batch; what is none is set aside, line by line."""
    record_type = batch.shard.stream.record
    good = [entry for entry in batch.entries if not entry.flaw and entry.data]
    dead = [
        _dead(batch, entry.data, entry.id, entry.flaw, now_ns)
        for entry in batch.entries
        if entry.flaw and not entry.is_gone
    ]
    data = b"\n".join(entry.data for entry in good)
    offsets = [np.arange(entry.offset, entry.offset + entry.records, dtype=np.uint64) for entry in good]
    numbers = np.concatenate(offsets) if offsets else np.empty(0, dtype=np.uint64)
    try:
        records = decode_alike(data, record_type)
    except UnreadableRecord:
        lines = data.split(b"\n")
        tried = [_tried(line, record_type) for line in lines]
        kept = [index for index, found in enumerate(tried) if isinstance(found, Record)]
        dead += [
            _dead(batch, lines[index], str(numbers[index]), str(found), now_ns)
            for index, found in enumerate(tried)
            if isinstance(found, UnreadableRecord)
        ]
        records = [found for found in tried if isinstance(found, Record)]
        data, numbers = b"\n".join(lines[index] for index in kept), numbers[kept]
    frame = frame_of(records, record_type).with_columns(
        pl.lit(batch.shard.number, dtype=pl.UInt16).alias("shard"), pl.Series("offset", numbers)
    )
    return Content(frame, data, dead)


def _tried(line: bytes, record_type: type[Record]) -> Record | UnreadableRecord:
    try:
        return decode_line(line, record_type)
    except UnreadableRecord as error:
        return error


def condemned(batch: Batch, *, attempts: int, now_ns: int) -> list[DeadLetter]:
    """Return the one record of a batch that kills every process as a dead letter."""
    line = b"\n".join(entry.data for entry in batch.entries if not entry.flaw)
    origin = Origin(batch.group, batch.shard.key, f"{batch.shard.key} {batch.start}", now_ns)
    reason = f"the process died {attempts} times while it had this record alone in hand"
    return [dead_letter(line, origin, reason=reason, attempts=attempts)] if line else []


def _dead(batch: Batch, payload: bytes, place: str, reason: str, now_ns: int) -> DeadLetter:
    origin = Origin(batch.group, batch.shard.key, f"{batch.shard.key} {place}", now_ns)
    return dead_letter(payload, origin, reason=reason)


def refused_letters(batch: Batch, content: Content, refused: pl.DataFrame) -> list[DeadLetter]:
    """Return the rows (offset, reason) of a batch's content as dead letters, with what is known of each."""
    if refused.is_empty():
        return []
    lines = content.data.split(b"\n")
    facts = content.frame.with_row_index("index").join(refused, on="offset", maintain_order="left")
    letters = []
    for index, *known, offset, reason in facts.select(
        "index", "received_ns", "venue", "symbol", "offset", "reason"
    ).iter_rows():
        place = f"{batch.shard.key} {offset}"
        letters.append(dead_letter(lines[index], Origin(batch.group, batch.shard.key, place, *known), reason=reason))
    return letters
