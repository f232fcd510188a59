"""Order events that somebody wants read again: what the subgraph and the chain have in common."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from common.records import DeadLetter, OrderEvent
from ingesters.feed import Checkpoint, Frame, Step
from ingesters.venues.errands import Errands

Told = TypeVar("Told", bound=OrderEvent | DeadLetter)


def wish_names(prefix: str) -> tuple[str, str]:
    """Return the names of the strings that survive a restart."""
    return f"{prefix}_wish", f"{prefix}_settled"


def late(record: Told) -> Told:
    """Return a record as one that was read out of its turn."""
    return msgspec.structs.replace(record, via="backfill") if isinstance(record, OrderEvent) else record


class EventErrands:
    """The wishes of one of the two venues, `goldsky` or `polygon`."""

    def __init__(self, venue: str, state: Mapping[str, str], channel: str) -> None:
        self._names = wish_names(venue)
        progress, settled = (state.get(name, "") for name in self._names)
        self._errands = Errands(f"{venue}_ingester", progress, settled, venue=venue, channel=channel)
        self.is_about, self.recall = self._errands.is_about, self._errands.recall

    def hear(self, frame: Frame) -> Iterator[Step]:
        """Hear of wishes."""
        yield from self._errands.hear(frame)
        if self._errands.wish and (self._errands.why_lost or self._errands.part is None):
            yield from self._end(frame.received_ns, self._errands.why_lost)

    def _go_on(self, received_ns: int) -> Iterator[Step]:
        """Yield how far it is; end a wish that has been walked whole."""
        if self._errands.part is None:
            yield from self._end(received_ns)
        else:
            yield self._checkpoint()

    def _end(self, received_ns: int, refusal: str = "") -> Iterator[Step]:
        yield self._errands.end(received_ns, refusal)
        yield self._checkpoint()

    def _checkpoint(self) -> Checkpoint:
        texts = self._errands.progress, self._errands.settled
        return Checkpoint("order_events", dict(zip(self._names, texts, strict=True)))
