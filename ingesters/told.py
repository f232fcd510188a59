"""What an ingester tells the users of the data about its own way into Redis."""

from typing import Protocol

from common.clock import now_ns
from common.records import EventKind, FeedEvent

CHANNEL = "redis"


class Tell(Protocol):
    """Has an event written down; it ends now unless it says otherwise."""

    def __call__(self, kind: EventKind, from_ns: int, detail: str, to_ns: int | None = None) -> None:
        """Write it down."""


def told(venue: str, kind: EventKind, from_ns: int, detail: str, to_ns: int | None = None) -> FeedEvent:
    """Return an event about the way into Redis."""
    now = now_ns()
    return FeedEvent(venue, "", now, channel=CHANNEL, kind=kind, from_ns=from_ns, to_ns=to_ns or now, detail=detail)
