"""/quality: what is missing, what was late, what came back; and whether everything that was appended is stored."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from common.clock import NS_PER_S
from monitoring.desk import AsOf
from monitoring.page import Look
from monitoring.views.balances import Balance
from monitoring.views.instrument_list import OF_BOOK
from monitoring.views.quality_reading import MOST_INCIDENTS, SECONDS, Found, Told
from monitoring.views.timeline import Timeline, timeline


@dataclass(frozen=True)
class VenueQuality:
    """
    What is known of a venue over the range; None is what cannot be told.

    `in_sync_pct` is the share of book time without a hole, `delay_*` from the venue's time of a trade to ours.
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


@dataclass(frozen=True)
class Lost:
    """How long books of a venue had a hole, and when the first began; 0 where none had."""

    seconds: float = 0.0
    since_ns: int = 0

    def and_from(self, start_ns: int, stop_ns: int) -> "Lost":
        """Return it with one more hole."""
        seconds = self.seconds + max(0, stop_ns - start_ns) / NS_PER_S
        return Lost(seconds, min(self.since_ns or start_ns, start_ns))


@dataclass(frozen=True)
class Quality:
    """All of it over one range; `is_cut` says that there were more incidents than are drawn."""

    range: str
    venues: tuple[VenueQuality, ...]
    timeline: Timeline
    is_cut: bool
    balances: tuple[Balance, ...]
    told: AsOf
    balanced: AsOf


def view(look: Look) -> Quality:
    """Return the figures of a range."""
    found: Found = look.found
    told = found.told.value or Told()
    asked_ns = found.told.asked_ns
    start_ns = asked_ns - SECONDS[look.given.range] * NS_PER_S
    return Quality(
        range=look.given.range,
        venues=venues_of(told, start_ns, asked_ns),
        timeline=timeline(told.incidents, start_ns, asked_ns),
        is_cut=len(told.incidents) >= MOST_INCIDENTS,
        balances=found.balances.value or (),
        told=found.told.as_of(look.now_ns),
        balanced=found.balances.as_of(look.now_ns),
    )


def venues_of(told: Told, start_ns: int, stop_ns: int) -> tuple[VenueQuality, ...]:
    """Return one row a venue."""
    events = {(row["venue"], row["kind"]): row for row in told.told}
    traded = {row["venue"]: row for row in told.traded}
    booked = {row["venue"]: row for row in told.booked}
    lost = out_of_sync(told.incidents, start_ns, stop_ns)
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
                in_sync_pct=_share_pct(books, lost.get(name, Lost()), start_ns, stop_ns) if is_whole else None,
                delay_p50_ms=trades["p50_ms"] if trades.get("live") else None,
                delay_p99_ms=trades["p99_ms"] if trades.get("live") else None,
            )
        )
    return tuple(made)


def _share_pct(books: dict[str, Any], lost: Lost, start_ns: int, stop_ns: int) -> float | None:
    if not books.get("books"):
        return None
    since_ns = max(start_ns, min(books["since_ns"], lost.since_ns or stop_ns))
    seen_s = (stop_ns - since_ns) / NS_PER_S * books["books"]
    return max(0.0, 100.0 * (1 - lost.seconds / seen_s)) if seen_s > 0 else None


def out_of_sync(incidents: Sequence[dict[str, Any]], start_ns: int, stop_ns: int) -> dict[str, Lost]:
    """Return how long books of each venue had a hole, summed over instruments: from a gap to the resync behind it."""
    lost: defaultdict[str, Lost] = defaultdict(Lost)
    open_since: dict[tuple[str, str], int] = {}
    for row in sorted(incidents, key=lambda one: one["received_ns"]):
        key = (row["venue"], row["symbol"])
        if row["channel"] not in OF_BOOK or row["kind"] not in ("gap", "resync"):
            continue
        if row["kind"] == "gap":
            open_since.setdefault(key, max(start_ns, row["from_ns"]))
        elif key in open_since:
            lost[row["venue"]] = lost[row["venue"]].and_from(open_since.pop(key), row["to_ns"])
    for (venue, _), since_ns in open_since.items():
        lost[venue] = lost[venue].and_from(since_ns, stop_ns)
    return dict(lost)
