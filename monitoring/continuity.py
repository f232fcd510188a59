"""The proof that nothing is lost or doubled: running numbers per shard, their holes, and what explains each."""

import base64
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from common.columns import Table, records_of
from common.outbox import SKIPPED
from common.settling import readdressed

MOST_HOLES = 1000  # of a shard that are named one by one
MOST_GUESSES = 5_000_000  # hashes that are tried to find the record that a dead letter was
TOLD = re.compile(r"^(\S+): \d+ running numbers from (\d+) to (\d+)")


@dataclass(frozen=True)
class Hole:
    """Running numbers `start`..`stop` (exclusive) of a shard that no row has; `why` is empty if nothing explains it."""

    table: str
    shard: int
    start: int
    stop: int
    why: str

    @property
    def records(self) -> int:
        """Return how many numbers are missing."""
        return self.stop - self.start


@dataclass(frozen=True)
class Proof:
    """What the rows of a table say of one shard: `first`..`end` (exclusive) were to be there, `rows` are."""

    table: str
    shard: int
    first: int
    end: int
    rows: int
    doubled: int
    holes: tuple[Hole, ...]

    @property
    def is_proven(self) -> bool:
        """Return whether every record stands there once, or it is known why it does not."""
        return not self.doubled and all(hole.why for hole in self.holes)


@dataclass(frozen=True)
class Known:
    """What may explain a hole: dead letters by stream key, as (id, payload); stretches, as (start, stop, why)."""

    letters: Mapping[str, Sequence[tuple[str, bytes]]]
    stretches: Mapping[str, Sequence[tuple[int, int, str]]]
    expiring: frozenset[str]


def extent_sql(table: Table) -> str:
    """Return the question for (shard, first, last, rows, distinct) of a table; a bitmap holds dense numbers well."""
    return (
        "SELECT shard, min(offset) AS first, max(offset) AS last, count() AS rows, "  # noqa: S608  from TABLES
        f"groupBitmap(offset) AS distinct FROM {_places(table)} GROUP BY shard ORDER BY shard"
    )


def holes_sql(table: Table) -> str:
    """Return the question for the (start, stop) of every hole of one shard between its first and its last row."""
    return (
        "SELECT prior + 1 AS start, offset AS stop FROM (SELECT offset, lagInFrame(offset, 1, offset) OVER "  # noqa: S608
        f"(ORDER BY offset ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS prior FROM {_places(table)} "
        f"WHERE shard = {{shard:UInt16}}) WHERE offset > prior + 1 ORDER BY start LIMIT {MOST_HOLES}"
    )


def _places(table: Table) -> str:
    """Return where the places of all records are found: what a chain has removed is not missing."""
    return records_of(table, ("shard", "offset"))


def letters_of(letters: pl.DataFrame) -> dict[str, list[tuple[str, bytes]]]:
    """Return dead letters (id, stream, payload, encoding) by the key of the stream that they were in."""
    by_stream: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    for letter_id, stream, payload, encoding in letters.iter_rows():
        data = base64.b64decode(payload) if encoding == "base64" else payload.encode()
        by_stream[stream].append((letter_id, data))
    return by_stream


def stretches_of(details: Iterable[str], settled: Iterable[str], group: str) -> dict[str, list[tuple[int, int, str]]]:
    """Return the running numbers that no row of a group may be expected for: told as lost, or for another group."""
    found: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for told in filter(None, map(TOLD.match, details)):
        found[told[1]].append((int(told[2]), int(told[3]), "told: deleted, or the numbers were never given out"))
    for there in filter(None, map(readdressed, settled)):
        if there.group != group:
            found[there.key].append((there.start, there.stop, f"dead letters put back for {there.group} alone"))
    return found


def explained(hole: Hole, key: str, known: Known) -> list[Hole]:
    """Return a hole cut into pieces, each with what explains it."""
    if not hole.start and hole.table in known.expiring:
        return [_because(hole, "retention: older rows have expired")]
    for start, stop, why in known.stretches.get(key, ()):
        if start <= hole.start and hole.stop <= stop:
            return [_because(hole, why)]
    if hole.records >= SKIPPED:
        return [_because(hole, "skipped: Redis had lost its newest numbers, and none may come again")]
    letters = known.letters.get(key, ())
    if hole.records * len(letters) > MOST_GUESSES:
        return [_because(hole, "dead letters, by their count" if len(letters) >= hole.records else "")]
    reasons = dict.fromkeys(_dead(hole, key, letters), "dead letters")
    for start, stop, why in known.stretches.get(key, ()):
        reasons |= dict.fromkeys(range(max(start, hole.start), min(stop, hole.stop)), why)
    return _pieces(hole, reasons)


def _because(hole: Hole, why: str) -> Hole:
    return Hole(hole.table, hole.shard, hole.start, hole.stop, why)


def _dead(hole: Hole, key: str, letters: Sequence[tuple[str, bytes]]) -> set[int]:
    """Return the numbers of a hole that became dead letters: a letter's id is made of its place and its bytes."""
    return {
        number
        for number in range(hole.start, hole.stop)
        for letter_id, payload in letters
        if hashlib.sha256(f"{key} {number}".encode() + b"\0" + payload).hexdigest().startswith(letter_id)
    }


def _pieces(hole: Hole, reasons: Mapping[int, str]) -> list[Hole]:
    pieces: list[Hole] = []
    for number in range(hole.start, hole.stop) if reasons else ():
        why = reasons.get(number, "")
        if pieces and pieces[-1].why == why:
            pieces[-1] = Hole(hole.table, hole.shard, pieces[-1].start, number + 1, why)
        else:
            pieces.append(Hole(hole.table, hole.shard, number, number + 1, why))
    return pieces or [hole]
