"""/quality: what is missing, what was late, what came back; and whether everything that was appended is stored."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from common.clock import NS_PER_S
from common.market_hours import hours_of
from monitoring.desk import AsOf
from monitoring.page import Look
from monitoring.ranges import SECONDS
from monitoring.views.balances import Balance
from monitoring.views.quality_reading import MOST_INCIDENTS, Answers, Found
from monitoring.views.reckoning import Reckoning, reckoning_of
from monitoring.views.stages import Stage, stages_of
from monitoring.views.timeline import Spans, Timeline, timeline
from monitoring.wholeness import Told, missing, wholeness


@dataclass(frozen=True)
class VenueQuality:
    """
    What is known of a venue over the range; None is what cannot be told.

    `in_sync_pct` is the share of time and symbols without a hole, `delay_*` from the venue's time of a trade to ours,
    `late_pct` the share of live trades that took more than a second.
    `repeats` are trades that stand twice: 0 is proven by their running numbers, and is what is promised.
    """

    venue: str
    trades: int | None
    gaps: int
    resyncs: int
    resync_p50_ms: float | None
    resync_p99_ms: float | None
    disconnects: int
    backfilled_events: int
    backfilled_trades: int | None
    refused: int
    schema_changes: int
    repeats: int | None
    crossed: int | None
    books: int | None
    in_sync_pct: float | None
    delay_p50_ms: float | None
    delay_p99_ms: float | None
    late_pct: float | None


@dataclass(frozen=True)
class Quality:
    """All of it over one range; `is_cut` says that there were more incidents than are drawn."""

    range: str
    venues: tuple[VenueQuality, ...]
    timeline: Timeline
    is_cut: bool
    balances: tuple[Balance, ...]
    reckoning: Reckoning | None
    stages: tuple[Stage, ...]
    told: AsOf
    balanced: AsOf


def view(look: Look) -> Quality:
    """Return the figures of a range."""
    found: Found = look.found
    told = found.told.value or Answers()
    asked_ns = found.told.asked_ns
    start_ns = asked_ns - SECONDS[look.given.range] * NS_PER_S
    venues, lanes = _drawn(told, start_ns, asked_ns, found.stocks_feed)
    return Quality(
        range=look.given.range,
        venues=venues,
        timeline=lanes,
        is_cut=len(told.incidents) >= MOST_INCIDENTS,
        balances=found.balances.value or (),
        reckoning=reckoning_of(found.balances.value or ()),
        stages=stages_of(found.stages),
        told=found.told.as_of(look.now_ns),
        balanced=found.balances.as_of(look.now_ns),
    )


@lru_cache(maxsize=8)
def _drawn(told: Answers, start_ns: int, stop_ns: int, stocks_feed: str) -> tuple[tuple[VenueQuality, ...], Timeline]:
    """Return what is made of an answer: once, though it is looked at every second."""
    missed, hours = _missing_of(told.incidents, stop_ns), partial(hours_of, stocks_feed=stocks_feed)
    lanes = timeline(told.incidents, start_ns, stop_ns, missed, hours)
    return venues_of(told, start_ns, stop_ns), lanes


def venues_of(told: Answers, start_ns: int, stop_ns: int) -> tuple[VenueQuality, ...]:
    """Return one row a venue."""
    events = {(row["venue"], row["kind"]): row for row in told.told}
    traded = {row["venue"]: row for row in told.traded}
    booked = {row["venue"]: row for row in told.booked}
    by_venue = _told_of(told.incidents)
    names = sorted({venue for venue, _ in events} | traded.keys() | booked.keys())
    is_whole = len(told.incidents) < MOST_INCIDENTS
    made = []
    for name in names:
        trades, books = traded.get(name, {}), booked.get(name, {})
        resync = events.get((name, "resync"), {})

        def count(kind: str, venue: str = name) -> int:
            return int(events.get((venue, kind), {}).get("events", 0))

        made.append(
            VenueQuality(
                venue=name,
                trades=trades.get("trades"),
                gaps=count("gap"),
                resyncs=count("resync"),
                resync_p50_ms=resync.get("p50_ms"),
                resync_p99_ms=resync.get("p99_ms"),
                disconnects=count("disconnected"),
                backfilled_events=count("backfilled"),
                backfilled_trades=trades.get("backfilled"),
                refused=count("refused"),
                schema_changes=count("schema_change"),
                repeats=trades.get("doubled"),
                crossed=books.get("crossed"),
                books=books.get("books"),
                in_sync_pct=_in_sync_pct(by_venue.get(name, []), (trades, books), start_ns, stop_ns)
                if is_whole
                else None,
                delay_p50_ms=trades["p50_ms"] if trades.get("live") else None,
                delay_p99_ms=trades["p99_ms"] if trades.get("live") else None,
                late_pct=100 * trades["late"] / trades["live"] if trades.get("live") else None,
            )
        )
    return tuple(made)


def _in_sync_pct(told: Sequence[Told], kept: Sequence[dict[str, Any]], start_ns: int, stop_ns: int) -> float | None:
    """Return the share of time and symbols without a hole, since the first thing that is known of the venue."""
    held = [row for row in kept if row]
    if not held:
        return None
    begun_ns = max(start_ns, min([*(row["since_ns"] for row in held), *(one.received_ns for one in told)]))
    symbols = max(row.get("symbols") or row.get("books") or 0 for row in held)
    return wholeness(told, (begun_ns, stop_ns), symbols).in_sync_pct


def _told_of(incidents: Sequence[dict[str, Any]]) -> dict[str, list[Told]]:
    """Return what was told of each venue, in the order in which it was."""
    found: defaultdict[str, list[Told]] = defaultdict(list)
    for row in sorted(incidents, key=lambda one: one["received_ns"]):
        found[row["venue"]].append(Told(*(row[name] for name in Told._fields)))
    return found


def _missing_of(incidents: Sequence[dict[str, Any]], now_ns: int) -> Spans:
    """Return when something was missing, by venue and symbol."""
    return {
        (venue, symbol): spans
        for venue, told in _told_of(incidents).items()
        for symbol, spans in missing(told, now_ns).items()
    }
