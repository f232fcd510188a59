"""A batch: which entries of a shard it is, and how its lines become records."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from common.codec import Origin, dead_letter, decode_alike, decode_line
from common.errors import UnreadableRecord
from common.received import Received
from common.records import DeadLetter, Record
from common.redis_streams import Shard
from processors.frames import frame_of
from processors.manifest import Manifest


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

    @property
    def seen_id(self) -> str:
        """Return the last entry that was in the stream when the batch was read, empty for none."""
        return next((entry.id for entry in reversed(self.entries) if not entry.is_gone), "")


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
