"""How whole the record of each venue is: when something was missing, and how long it took until it was not."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

OPENING = ("gap", "stale", "disconnected")
CLOSING = ("resync", "backfilled", "connected")
CONNECTION = ("disconnected", "connected")
NS_PER_MS = 1_000_000

Span = tuple[int, int]


class Told(NamedTuple):
    """A row of `feed_events`; it concerns every symbol of its venue if it names none."""

    venue: str
    symbol: str
    channel: str
    kind: str
    from_ns: int
    to_ns: int
    received_ns: int


@dataclass(frozen=True)
class Wholeness:
    """What the events of one venue say; durations are None where there was no resync."""

    gaps: int
    resyncs: int
    resync_p50_ms: float | None
    resync_p95_ms: float | None
    in_sync_pct: float | None


def wholeness(events: Sequence[Told], window: Span, symbols: int) -> Wholeness:
    """
    Return how whole a venue's record is.

    Args:
        events: of this venue, in the order in which they were told.
        window: from when to when it was recorded.
        symbols: how many it recorded.
    """
    lasted_ms = sorted(
        (event.to_ns - event.from_ns) / NS_PER_MS
        for event in events
        if event.kind == "resync" and event.to_ns > event.from_ns
    )
    return Wholeness(
        gaps=sum(event.kind == "gap" for event in events),
        resyncs=sum(event.kind == "resync" for event in events),
        resync_p50_ms=_quantile(lasted_ms, 0.5),
        resync_p95_ms=_quantile(lasted_ms, 0.95),
        in_sync_pct=_in_sync_pct(missing(events, window[1]), window, symbols),
    )


def _in_sync_pct(lost: Mapping[str, Sequence[Span]], window: Span, symbols: int) -> float | None:
    """Return the share of time and symbols in which nothing was missing; None if nothing was recorded."""
    named = [symbol for symbol in lost if symbol]
    whole_ns = (window[1] - window[0]) * max(symbols, len(named), 1)
    if whole_ns <= 0:
        return None
    of_all = lost.get("", ())
    lost_ns = sum(_covered_ns(chain(of_all, lost[symbol]), window) for symbol in named)
    lost_ns += _covered_ns(of_all, window) * max(0, max(symbols, 1) - len(named))
    return 100.0 * (1.0 - lost_ns / whole_ns)


def missing(events: Iterable[Told], now_ns: int) -> Mapping[str, Sequence[Span]]:
    """
    Return by symbol when something was missing.

    A stretch begins where a gap does and lasts until the return to order was told. What was never made good is
    missing for as long as the gap itself says, or still now if it has no end.
    """
    open_gaps: defaultdict[tuple[str, str], list[Told]] = defaultdict(list)
    spans: defaultdict[str, list[Span]] = defaultdict(list)
    for event in events:
        is_connection = event.kind in CONNECTION  # told of the wire, and after a kill of the way into Redis
        gaps = open_gaps[event.symbol, "connection" if is_connection else event.channel]
        if event.kind in OPENING:
            gaps.append(event)
        elif event.kind in CLOSING:
            closed = [gap for gap in gaps if event.kind == "connected" or gap.to_ns >= event.from_ns]
            spans[event.symbol] += [(gap.from_ns, event.received_ns) for gap in closed]
            gaps[:] = [gap for gap in gaps if gap not in closed]
    for (symbol, _), gaps in open_gaps.items():
        spans[symbol] += [(gap.from_ns, gap.to_ns if _has_end(gap) else now_ns) for gap in gaps]
    return spans


def _has_end(event: Told) -> bool:
    return event.kind == "gap" and event.to_ns > event.from_ns


def _covered_ns(spans: Iterable[Span], window: Span) -> int:
    """Return how much of a window is covered by stretches that may overlap."""
    covered_ns, reached_ns = 0, window[0]
    for start_ns, stop_ns in sorted(spans):
        start_ns, stop_ns = max(start_ns, reached_ns), min(stop_ns, window[1])  # noqa: PLW2901  clipped in place
        if stop_ns > start_ns:
            covered_ns += stop_ns - start_ns
            reached_ns = stop_ns
    return covered_ns


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
