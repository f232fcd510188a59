"""Records packed into stream entries: one in a quiet market, hundreds in a busy one."""

from collections.abc import Iterable
from typing import NamedTuple

from common.codec import encode_lines
from common.records import Record


class Entry(NamedTuple):
    """Records packed for one stream entry: `records` JSON lines in `data`."""

    records: int
    data: bytes


MAX_RECORDS = 500  # of one entry: more gains nothing, and a person must still be able to look at one
MAX_BYTES = 128 * 1024
ENCODED_TOGETHER = 100  # few enough that what is not encoded yet, and so not measured, stays small


def pack(lines: Iterable[bytes]) -> list[Entry]:
    """Return JSON lines as entries, in order, none above the limits (but for a single line that is)."""
    every = list(lines)
    entries: list[Entry] = []
    for at in range(0, len(every), MAX_RECORDS):
        part = every[at : at + MAX_RECORDS]
        data = b"\n".join(part)
        entries += [Entry(len(part), data)] if len(data) <= MAX_BYTES else _by_size(part)
    return entries


def _by_size(lines: Iterable[bytes]) -> list[Entry]:
    entries: list[Entry] = []
    held: list[bytes] = []
    size_bytes = 0
    for line in lines:
        if held and size_bytes + len(line) > MAX_BYTES:
            entries.append(Entry(len(held), b"\n".join(held)))
            held, size_bytes = [], 0
        held.append(line)
        size_bytes += len(line) + 1
    if held:
        entries.append(Entry(len(held), b"\n".join(held)))
    return entries


def joined(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries that follow each other as fewer and larger ones, none that were joined above the limits."""
    whole: list[Entry] = []
    held: list[bytes] = []
    records = size_bytes = 0
    for entry in entries:
        if held and (records + entry.records > MAX_RECORDS or size_bytes + len(entry.data) > MAX_BYTES):
            whole.append(Entry(records, b"\n".join(held)))
            held, records, size_bytes = [], 0, 0
        held.append(entry.data)
        records += entry.records
        size_bytes += len(entry.data) + 1
    if held:
        whole.append(Entry(records, b"\n".join(held)))
    return whole


class Packing:
    """
    Records on their way into entries, in order; encoding a hundred in one call costs half of one by one.

    A record is taken by appending it to `open`; where that holds ENCODED_TOGETHER, `encode` is due. A method that does
    both would be a call for each record of the busiest path.
    """

    def __init__(self) -> None:
        self.size_bytes = 0  # of what is encoded; fewer than ENCODED_TOGETHER are not yet
        self._entries: list[Entry] = []
        self.open: list[Record] = []
        self._encoded = 0
        self._parts: list[bytes] = []  # of the next entry
        self._part_records = 0
        self._part_bytes = 0

    @property
    def records(self) -> int:
        """Return how many were taken."""
        return self._encoded + len(self.open)

    def entries(self) -> list[Entry]:
        """Return everything as entries."""
        self.encode()
        self._seal()
        return self._entries

    def encode(self) -> None:
        """Turn the open records into bytes."""
        if not self.open:
            return
        data, count = encode_lines(self.open), len(self.open)
        self.open = []
        self._encoded += count
        if self._part_records + count > MAX_RECORDS or self._part_bytes + len(data) > MAX_BYTES:
            self._seal()
        self._parts.append(data)
        self._part_records += count
        self._part_bytes += len(data) + 1
        self.size_bytes += len(data)

    def _seal(self) -> None:
        if not self._parts:
            return
        data = b"\n".join(self._parts)
        fits = len(data) <= MAX_BYTES
        self._entries += [Entry(self._part_records, data)] if fits else pack(data.split(b"\n"))
        self._parts, self._part_records, self._part_bytes = [], 0, 0
