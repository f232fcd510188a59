"""The name of a batch: which entries it is, under which token it is written, and what is known against it."""

import msgspec
import numpy as np
import polars as pl


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
        return family_of(self.group, self.key)

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


def family_of(group: str, key: str) -> str:
    """Return how every token of a group in a shard begins."""
    return f"{group}/{key}/"


def decode_manifest(text: bytes) -> Manifest:
    """Return the manifest that `encode` wrote."""
    return msgspec.json.decode(text, type=Manifest)
