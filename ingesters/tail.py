"""The newest packets that Redis has confirmed, kept in memory for a Redis that comes back without them."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from common.clock import NS_PER_S, now_ns
from common.packet import Packet

KEPT_S = 60
KEPT_BYTES = 4 * 2**20  # of each shard: more than a second of the busiest market, which is what `everysec` may lose
TIMES_KEPT = 4096


class Taken(NamedTuple):
    """A packet, the running number of its first record, and when Redis took it."""

    packet: Packet
    start: int
    taken_ns: int


class Tail:
    """Packets of one shard, oldest first, bounded by age and size; the times of earlier ones are kept longer."""

    def __init__(self) -> None:
        self._taken: deque[Taken] = deque()
        self._times: deque[tuple[int, int]] = deque(maxlen=TIMES_KEPT)  # (batch, when it was taken) of those let go
        self._size_bytes = 0

    def add(self, packet: Packet, end: int) -> None:
        """Remember a packet that Redis has taken; `end` is the running number behind its last record."""
        taken_ns = now_ns()
        self._taken.append(Taken(packet, end - packet.records, taken_ns))
        self._size_bytes += packet.size_bytes
        oldest_ns = taken_ns - KEPT_S * NS_PER_S
        while self._taken and (self._size_bytes > KEPT_BYTES or self._taken[0].taken_ns < oldest_ns):
            gone = self._taken.popleft()
            self._size_bytes -= gone.packet.size_bytes
            self._times.append((gone.packet.batch, gone.taken_ns))

    def behind(self, batch: int) -> list[Taken]:
        """Return the packets that are newer than one."""
        return [taken for taken in self._taken if taken.packet.batch > batch]

    def has_all_behind(self, batch: int) -> bool:
        """Return whether no packet that is newer than one has been let go."""
        return not self._times or self._times[-1][0] <= batch

    def taken_ns(self, batch: int) -> int | None:
        """Return when the newest packet up to a number was taken, None if that is not known any more."""
        times: Iterator[tuple[int, int]] = ((taken.packet.batch, taken.taken_ns) for taken in reversed(self._taken))
        known = next((at_ns for number, at_ns in times if number <= batch), None)
        return known or next((at_ns for number, at_ns in reversed(self._times) if number <= batch), None)
