"""Entries in their place: which belong where they stand, what is missing between them, and how a batch is cut."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from common.received import Received
from processors.batch import Batch


class Hole(NamedTuple):
    """Running numbers that no entry of the shard holds, and when Redis took the entries around them."""

    start: int
    stop: int
    behind_id: str
    before_id: str


def placed(batch: Batch, end: int) -> Batch:
    """
    Return the batch with the entries marked that do not belong where they stand, and the first cut to where it begins.

    Args:
        batch: the entries as they were read.
        end: the running number behind the shard's newest record. Numbers may be skipped (an entry was deleted by hand),
            but an entry from behind the end was not appended by us.
    """
    expected = batch.start
    entries = []
    for found in batch.entries:
        entry = _cut(found, expected, found.stop) if found.offset < expected < found.stop else found
        if entry.flaw or expected <= entry.offset <= entry.stop <= end:
            entries.append(entry)
            expected = expected if entry.flaw else entry.stop
        else:
            entries.append(entry._replace(records=0, flaw=f"expected running number {expected}, found {entry.offset}"))
    return replace(batch, entries=tuple(entries))


def clipped(batch: Batch, stop: int) -> Batch:
    """Return the part of a batch that lies before a running number; an entry may be cut in two."""
    kept: list[Received] = []
    for entry in batch.entries:
        if not entry.flaw and entry.stop > stop:
            if entry.offset < stop:
                kept.append(_cut(entry, entry.offset, stop))
                return replace(batch, entries=tuple(kept), partial=True)
            return replace(batch, entries=tuple(kept))
        kept.append(entry)
    return batch


def _cut(entry: Received, start: int, stop: int) -> Received:
    lines = entry.data.split(b"\n")[start - entry.offset : stop - entry.offset]
    return entry._replace(offset=start, records=stop - start, data=b"\n".join(lines))


def holes(batch: Batch, behind_id: str) -> list[Hole]:
    """Return which running numbers are missing in a batch that follows an entry."""
    found, expected, last_id = [], batch.start, behind_id
    for entry in batch.entries:
        if entry.flaw:
            continue
        if entry.offset > expected:
            found.append(Hole(expected, entry.offset, last_id, entry.id))
        expected, last_id = entry.stop, entry.id
    if expected < batch.stop:
        found.append(Hole(expected, batch.stop, last_id, last_id))
    return found


def stretches(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return the (start, stop) of the dense stretches of rising numbers."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number:
            found[-1] = found[-1][0], number + 1
        else:
            found.append((number, number + 1))
    return found
