"""What a user of the fills must know: reorganisations of the chain, and a node that falls behind it."""

from collections.abc import Iterator

from common.clock import NS_PER_S, utc_text
from common.records import EventKind, FeedEvent
from ingesters.venues.polygon_memory import Difference, Place
from ingesters.venues.polygon_rpc import VENUE

CHANNEL = "chain"
NAMED_IDS = 20
BEHIND_S = 300


def news(kind: EventKind, detail: str, *, from_ns: int, to_ns: int, received_ns: int) -> FeedEvent:
    """Return something that concerns all fills of a time."""
    return FeedEvent(
        venue=VENUE,
        symbol="",
        received_ns=received_ns,
        channel=CHANNEL,
        kind=kind,
        from_ns=from_ns,
        to_ns=to_ns,
        detail=detail,
    )


def reorganised(difference: Difference, places: list[Place], received_ns: int) -> Iterator[FeedEvent]:
    """Yield at most one event for each way in which blocks read again differ from what was told of them."""
    times_ns = [place.timestamp * NS_PER_S for place in places] or [received_ns]
    told: tuple[tuple[EventKind, str, list[str]], ...] = (
        ("gap", "events vanished", [fill.id for fill in difference.vanished]),
        ("gap", "events vanished, their rows stay", difference.unnamed),
        ("resync", "events have another time now", [fill.id for _, fill in difference.moved]),
        ("resync", "events that had vanished are back", [fill.id for fill in difference.returned]),
        ("backfilled", "events came late", [fill.id for fill in difference.late]),
    )
    for kind, what, ids in told:
        if ids:
            named = f"{', '.join(ids[:NAMED_IDS])}{', ...' if len(ids) > NAMED_IDS else ''}"
            detail = f"reorg: {len(ids)} {what}: {named}"
            yield news(kind, detail, from_ns=min(times_ns), to_ns=max(times_ns), received_ns=received_ns)


class TipWatch:
    """Says once when the newest block that the node has is old, and once when it is not any more."""

    def __init__(self) -> None:
        self._stale_from_ns: int | None = None

    def look(self, tip: Place, received_ns: int) -> Iterator[FeedEvent]:
        """Hear which block is the newest that can be told."""
        tip_ns = tip.timestamp * NS_PER_S
        behind_s = (received_ns - tip_ns) // NS_PER_S
        if self._stale_from_ns is None and behind_s > BEHIND_S:
            self._stale_from_ns = tip_ns
            detail = f"the node's newest block, {tip.number} of {utc_text(tip_ns)}, is {behind_s} s behind"
            yield news("stale", detail, from_ns=tip_ns, to_ns=received_ns, received_ns=received_ns)
        elif self._stale_from_ns is not None and behind_s <= BEHIND_S // 2:
            from_ns, self._stale_from_ns = self._stale_from_ns, None
            detail = f"the node is back: block {tip.number}"
            yield news("resync", detail, from_ns=from_ns, to_ns=received_ns, received_ns=received_ns)
