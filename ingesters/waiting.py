"""What has been put and is in memory only: records packed as they come, packets in order, marks and state with them."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from common.packet import Packet
from common.packing import ENCODED_TOGETHER, Packing
from common.records import Record

PACKET_BYTES = 4 * 2**20  # Redis takes so much in some 20 ms: one that has not in a second is slow indeed


class Waiting:
    """
    Records on their way to one shard.

    While Redis is well there is one packet at most, on its way, and the records that came since then; in a burst there
    are several.
    """

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.is_awake = False
        self.is_in_doubt = False  # whether Redis is to be asked although there is nothing to tell it
        self.made = 0  # the number of the newest packet
        self._packed = Packing()
        self._marks: dict[str, int] = {}
        self._state: dict[str, str] = {}
        self._queue: deque[Packet] = deque()
        self._queue_bytes = 0
        self._told_marks: dict[str, int] = {}  # of all that was put
        self._told_state: dict[str, str] = {}

    def put(self, record: Record) -> None:
        """Take a record: the hot path."""
        packed = self._packed
        packed.open.append(record)
        if len(packed.open) == ENCODED_TOGETHER:
            packed.encode()
        sequence = record.sequence  # type: ignore[attr-defined]  # every record but the root has one
        if sequence is not None:
            self._marks[record.symbol] = sequence
        if not self.is_awake:
            self.is_awake = True
            self.wake.set()

    def remember(self, state: Mapping[str, str]) -> None:
        """Have these strings written with the records put so far."""
        self._state.update(state)
        self.wake.set()

    def recall(self, marks: Mapping[str, int], state: Mapping[str, str]) -> None:
        """Count these among what was put: an earlier process did."""
        self._told_marks |= marks
        self._told_state |= state

    def disown(self, names: Iterable[str]) -> None:
        """Leave these strings to another lane."""
        for name in names:
            self._told_state.pop(name, None)

    @property
    def marks(self) -> Mapping[str, int]:
        """Return the largest sequences by symbol of all that was put, whether Redis has it yet or not."""
        return self._told_marks | self._marks

    @property
    def state(self) -> Mapping[str, str]:
        """Return the newest strings of all that was put, whether Redis has them yet or not."""
        return self._told_state | self._state

    @property
    def size_bytes(self) -> int:
        """Return how much waits."""
        return self._packed.size_bytes + self._queue_bytes

    @property
    def records(self) -> int:
        """Return how many records wait."""
        return self._packed.records + sum(packet.records for packet in self._queue)

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to tell Redis."""
        return not (self._packed.records or self._state or self._queue or self.is_in_doubt)

    def divide(self) -> None:
        """Begin another packet if this one is large; to be called between frames, as what one says stays together."""
        if self._packed.size_bytes > PACKET_BYTES:
            self._seal()

    def sealed(self) -> Sequence[Packet]:
        """Return everything as packets, oldest first."""
        if self._packed.records or self._state:
            self._seal()
        return tuple(self._queue)

    def oldest(self) -> Packet:
        """Return the oldest packet; an empty one if nothing waits."""
        if not self._queue:
            self._seal()
        return self._queue[0]

    def holds(self, packet: Packet) -> bool:
        """Return whether this is the oldest packet."""
        return bool(self._queue) and self._queue[0].batch == packet.batch

    def let_go(self, batch: int) -> None:
        """Forget packets up to a number."""
        while self._queue and self._queue[0].batch <= batch:
            self._queue_bytes -= self._queue.popleft().size_bytes

    def _seal(self) -> None:
        """Make a packet of all that waits, with the marks and the state that belong to it: never a part of a page."""
        self.made += 1
        packet = Packet(self.made, self._packed.entries(), marks=self._marks, state=self._state)
        self._told_marks |= self._marks
        self._told_state |= self._state
        self._queue.append(packet)
        self._queue_bytes += packet.size_bytes
        self._packed, self._marks, self._state, self.is_in_doubt = Packing(), {}, {}, False
