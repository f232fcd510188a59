"""Gaps, resyncs and closed markets along a line of time, one lane an instrument: rectangles of the server's own."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.clock import utc_text
from common.market_hours import Hours, closed

WIDTH = 1000.0
THINNEST = 3.0
MOST_LANES = 40
TICKS = 6
DRAWN = {
    "gap": "gap",
    "resync": "resync",
    "disconnected": "away",
    "stale": "resync",
    "backfilled": "filled",
    "refused": "gap",
}


@dataclass(frozen=True)
class Mark:
    """A stretch of time on a lane, in units of a lane that is 1000 wide; `words` tell what it was."""

    kind: str
    x: float
    width: float
    words: str


@dataclass(frozen=True)
class Lane:
    """
    An instrument, or a venue's connections where the symbol is empty.

    `closed` is when its market was, as far as the hours are known: what is quiet then is no gap.
    """

    venue: str
    symbol: str
    marks: tuple[Mark, ...]
    closed: tuple[Mark, ...]


@dataclass(frozen=True)
class Timeline:
    """
    All lanes between two times, `ticks` in nanoseconds; `hidden` instruments had incidents too and are not drawn.

    `hours` are the rules by which lanes have closed stretches, in words.
    """

    lanes: tuple[Lane, ...]
    ticks: tuple[int, ...]
    hidden: int
    hours: tuple[str, ...]


Spans = Mapping[tuple[str, str], Sequence[tuple[int, int]]]
HoursOf = Callable[[str, str], Hours | None]


def timeline(
    incidents: Sequence[dict[str, Any]], start_ns: int, stop_ns: int, missing: Spans, hours_of: HoursOf
) -> Timeline:
    """
    Return the timeline of incidents, those with the most first.

    `missing` is when each instrument was not whole, `hours_of` when its market is open (None: always, or unknown).
    """
    found: defaultdict[tuple[str, str], list[Mark]] = defaultdict(list)
    for row in incidents:
        if row["kind"] in DRAWN and row["to_ns"] >= start_ns:
            found[row["venue"], row["symbol"]].append(_mark(row, start_ns, stop_ns))
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    lanes = tuple(
        Lane(
            venue,
            symbol,
            (*_hollow(missing.get((venue, symbol), ()), start_ns, stop_ns), *_in_order(marks)),
            tuple(_closed(hours_of(venue, symbol), start_ns, stop_ns)),
        )
        for (venue, symbol), marks in sorted(ordered[:MOST_LANES])
    )
    hours = sorted({str(hours_of(lane.venue, lane.symbol)) for lane in lanes if lane.closed})
    step_ns = (stop_ns - start_ns) // TICKS
    ticks = tuple(start_ns + number * step_ns for number in range(TICKS))
    return Timeline(lanes, ticks, max(0, len(ordered) - MOST_LANES), tuple(hours))


def _in_order(marks: Sequence[Mark]) -> list[Mark]:
    """Return marks with gaps on top."""
    return sorted(marks, key=lambda mark: mark.kind == "gap")


def _hollow(spans: Sequence[tuple[int, int]], start_ns: int, stop_ns: int) -> Iterator[Mark]:
    """Yield the stretches in which something was missing, from the gap to the return to order."""
    scale = WIDTH / (stop_ns - start_ns)
    for from_ns, to_ns in spans:
        x1, x2 = ((min(max(at_ns, start_ns), stop_ns) - start_ns) * scale for at_ns in (from_ns, to_ns))
        if x2 > x1:
            words = f"not whole from {utc_text(from_ns)[:23]} for {(to_ns - from_ns) / 1e9:.3f} s"
            yield Mark("hollow", round(x1, 1), round(x2 - x1, 1), words)


def _closed(hours: Hours | None, start_ns: int, stop_ns: int) -> Iterator[Mark]:
    """Yield the stretches in which a market was closed by its hours."""
    scale = WIDTH / (stop_ns - start_ns)
    for from_ns, to_ns in closed(start_ns, stop_ns, hours) if hours else ():
        words = f"market closed from {_minute(from_ns)} to {_minute(to_ns)} UTC"
        yield Mark("closed", round((from_ns - start_ns) * scale, 1), round((to_ns - from_ns) * scale, 1), words)


def _minute(time_ns: int) -> str:
    return utc_text(time_ns)[:16].replace("T", " ")


def _mark(row: dict[str, Any], start_ns: int, stop_ns: int) -> Mark:
    scale = WIDTH / (stop_ns - start_ns)
    x1 = max(0.0, (row["from_ns"] - start_ns) * scale)
    x2 = min(WIDTH, max(x1, (row["to_ns"] - start_ns) * scale))
    width = max(THINNEST, x2 - x1)
    lasted_s = (row["to_ns"] - row["from_ns"]) / 1e9
    told = f"expected {row['expected']}, found {row['found']}" if row["expected"] or row["found"] else ""
    words = "; ".join(
        part
        for part in (
            f"{row['kind']} on {row['channel']}",
            utc_text(row["from_ns"])[:23],
            f"{lasted_s:.3f} s",
            told,
            row["detail"],
        )
        if part
    )
    return Mark(DRAWN[row["kind"]], round(min(x1, WIDTH - width), 1), round(width, 1), words)
