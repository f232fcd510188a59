"""What a user of Polymarket's markets is told about Gamma, each thing once a connection."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec

from common.records import EventKind, FeedEvent
from ingesters.feed import Frame
from ingesters.venues.gamma import VENUE
from ingesters.venues.gamma_fields import MARKET, PAGE
from ingesters.venues.novelty import Novelty, fields_of

MARKETS, ENVELOPE = "markets", "markets/keyset"


class Notices:
    """Remembers what was told: by a key for what the feed says itself, by name for fields that are new."""

    def __init__(self) -> None:
        self._told: set[tuple[str, int]] = set()
        self._novelty = Novelty(VENUE, {MARKETS: MARKET, ENVELOPE: PAGE})

    def tell(self, kind: EventKind, detail: str, at_ns: int, once: tuple[str, int]) -> Iterator[FeedEvent]:
        """Yield an event unless one with the same key was yielded before."""
        if once not in self._told:
            self._told.add(once)
            yield FeedEvent(VENUE, "", at_ns, channel=MARKETS, kind=kind, from_ns=at_ns, to_ns=at_ns, detail=detail)

    def new_fields(self, frame: Frame, objects: Iterable[bytes]) -> Iterator[FeedEvent]:
        """Yield what is new in a page and in the objects on it; those that are no markets are dead letters already."""
        if frame.payload.lstrip().startswith(b"{"):  # the older endpoint answers with a bare array
            names = fields_of(frame.payload).keys()
            yield from self._novelty.notice(ENVELOPE, names, frame.payload, frame.received_ns)
        for raw in objects:
            with suppress(msgspec.MsgspecError):
                yield from self._novelty.notice(MARKETS, fields_of(raw).keys(), raw, frame.received_ns)


def worded(frame: Frame) -> str:
    """Return a refusal in Gamma's own words."""
    return f"{frame.status} {frame.payload[:200].decode(errors='replace')}"
