"""What two recordings made at the same time heard on connections of one name is one message."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from common.clock import NS_PER_S
from simulator.capture import Event
from simulator.venue import Recorded

CLOCKS_APART_NS = 5 * NS_PER_S  # of two recorders, and of the ways to them


@dataclass
class Message:
    """When a message was received first, and in which files it was found."""

    received_ns: int
    files: set[int]


class Repeats:
    """
    The messages of some files, each once, to be asked for file by file.

    What one file holds twice was said twice, so the n-th of a file is the n-th of another: of messages without a number
    nothing else tells a repeat from the same again. Connections of other names stand side by side, as in one file.
    """

    def __init__(self) -> None:
        self._told: defaultdict[tuple[str, str, int], list[Message]] = defaultdict(list)

    def is_new(self, event: Event, file: int) -> bool:
        """Return whether no other file has this message at about this time."""
        payload = event.payload_base64 or event.payload or ""
        slot = event.received_ns // CLOCKS_APART_NS
        for near in (slot - 1, slot, slot + 1):
            for message in self._told.get((event.connection, payload, near), ()):
                if file not in message.files and abs(message.received_ns - event.received_ns) <= CLOCKS_APART_NS:
                    message.files.add(file)
                    return False
        self._told[event.connection, payload, slot].append(Message(event.received_ns, {file}))
        return True


def each_once(files: Iterable[Sequence[Recorded]]) -> list[Recorded]:
    """Return all that was recorded in receive order, and what a venue said into several files as the first has it."""
    by_start = sorted((file for file in files if file), key=lambda file: file[0].event.received_ns)
    repeats = Repeats()
    kept = [
        one
        for number, file in enumerate(by_start)
        for one in file
        if not _is_said(one) or repeats.is_new(one.event, number)
    ]
    return sorted(kept, key=lambda one: one.event.received_ns)


def _is_said(one: Recorded) -> bool:
    return one.is_socket and one.event.direction == "in"
