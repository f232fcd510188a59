"""A quiet market and a subgraph that stands still look alike in its events; its head tells them apart."""

from collections.abc import Iterator

from common.clock import NS_PER_S, utc_text
from common.records import EventKind, FeedEvent
from ingesters.venues.goldsky_page import VENUE, Cursor, Head

CHANNEL = "subgraph"
NAMED_IDS = 20


def feed_event(kind: EventKind, detail: str, *, from_ns: int, to_ns: int, received_ns: int | None = None) -> FeedEvent:
    """Return something a user of the subgraph's events must know; received at its end unless told otherwise."""
    return FeedEvent(
        venue=VENUE,
        symbol="",
        received_ns=to_ns if received_ns is None else received_ns,
        channel=CHANNEL,
        kind=kind,
        from_ns=from_ns,
        to_ns=to_ns,
        detail=detail,
    )


def reorganised(kind: EventKind, what: str, places: list[Cursor], received_ns: int) -> Iterator[FeedEvent]:
    """Yield at most one event about a reorganisation of the chain."""
    if places:
        ids = ", ".join(place.id for place in places[:NAMED_IDS])
        from_ns, to_ns = (edge(places).timestamp * NS_PER_S for edge in (min, max))
        detail = f"reorg: {len(places)} {what}: {ids}{', ...' if len(places) > NAMED_IDS else ''}"
        yield feed_event(kind, detail, from_ns=from_ns, to_ns=to_ns, received_ns=received_ns)


class HeadWatch:
    """Says once when the head falls behind, and once when it is back; the same for errors in the index."""

    def __init__(self, lag_s: float) -> None:
        self._lag_ns = int(lag_s * NS_PER_S)
        self._number = -1
        self._moved_ns = 0  # when we saw it move
        self._stale_from_ns: int | None = None
        self._has_errors = False
        self._deployment = ""

    def look(self, head: Head, received_ns: int) -> Iterator[FeedEvent]:
        """Yield what changed with this answer."""
        yield from self._look_at_index(head, received_ns)
        if head.block.number != self._number:
            self._number, self._moved_ns = head.block.number, received_ns
        # Without a block time, a head is as old as the time we have seen it stand still.
        head_ns = self._moved_ns if head.block.timestamp is None else head.block.timestamp * NS_PER_S
        age_ns = received_ns - head_ns
        if self._stale_from_ns is None and age_ns > self._lag_ns:
            self._stale_from_ns = head_ns
            yield feed_event("stale", self._worded(head_ns, received_ns), from_ns=head_ns, to_ns=received_ns)
        # Half the limit: a head that wavers about it is no news each time.
        elif self._stale_from_ns is not None and age_ns <= self._lag_ns // 2:
            from_ns, self._stale_from_ns = self._stale_from_ns, None
            yield feed_event("resync", f"the head is back: block {self._number}", from_ns=from_ns, to_ns=received_ns)

    def _look_at_index(self, head: Head, received_ns: int) -> Iterator[FeedEvent]:
        if self._deployment not in ("", head.deployment):
            detail = f"expected deployment {self._deployment}, found {head.deployment}"
            yield feed_event("schema_change", detail, from_ns=received_ns, to_ns=received_ns)
        self._deployment = head.deployment
        if head.has_indexing_errors != self._has_errors:
            self._has_errors = head.has_indexing_errors
            detail = "the subgraph reports indexing errors: events may be missing"
            yield feed_event(
                "stale" if self._has_errors else "resync",
                detail if self._has_errors else "the subgraph reports no more indexing errors",
                from_ns=received_ns,
                to_ns=received_ns,
            )

    def _worded(self, head_ns: int, received_ns: int) -> str:
        behind_s = (received_ns - head_ns) // NS_PER_S
        still_s = (received_ns - self._moved_ns) // NS_PER_S
        worded = f"block {self._number} of {utc_text(head_ns)} is {behind_s} s behind"
        return f"{worded} and has not moved for {still_s} s" if still_s else worded
