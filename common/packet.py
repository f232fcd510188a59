"""A packet: what one append carries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from common.packing import Entry, joined


@dataclass(frozen=True)
class Packet:
    """
    What one append carries. Repeat it unchanged until it is taken: `batch` makes the repeat harmless.

    `batch` is the source's own count; numbers may be left out. `marks` are the largest venue sequences by symbol,
    `state` plain strings for `state:<name>`.
    """

    batch: int
    entries: Sequence[Entry]
    marks: Mapping[str, int] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """Return how many records it holds."""
        return sum(entry.records for entry in self.entries)

    @property
    def size_bytes(self) -> int:
        """Return how long its records are."""
        return sum(len(entry.data) for entry in self.entries)


def merged(packets: Sequence[Packet]) -> Packet:
    """Return packets that follow each other as one, under the number of the last: fewer and larger entries."""
    if len(packets) == 1:
        return packets[0]
    marks: dict[str, int] = {}
    state: dict[str, str] = {}
    for packet in packets:
        marks |= packet.marks
        state |= packet.state
    return Packet(packets[-1].batch, joined(entry for packet in packets for entry in packet.entries), marks, state)
