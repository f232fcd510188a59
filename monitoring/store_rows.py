"""The rows of what is kept: tables in ClickHouse, cursors in Redis, and the newest feed events."""

from collections.abc import Mapping

from common.clock import NS_PER_S
from common.records import FeedEvent
from common.tables import TABLES
from monitoring.facts import Cursor, Event, Table
from monitoring.store_readings import TableReading
from monitoring.watch import Snapshot

SHOWN_BY = {"market_versions": "markets", "bar_versions": "bars"}  # the view that a person means
STRETCHES = ("gap", "resync", "disconnected", "stale", "backfilled")
EARLIEST_TIME_S, LATEST_TIME_S = 1_000_000_000, 100_000_000_000


def tables(shot: Snapshot, now_ns: int) -> tuple[Table, ...]:
    """Return one row a table, those fed by streams first, in the order of the streams."""
    if shot.store is None:
        return ()
    sources = {table.name: table.source.topic for table in TABLES}
    shown = {SHOWN_BY.get(name, name): topic for name, topic in sources.items()}
    order = list(shown)
    held = {table.name: table for table in shot.store.tables}
    behind = {view: table for table, view in SHOWN_BY.items()}
    made = [_table(table, held.get(behind.get(table.name, ""), table), shown, shot, now_ns) for table in held.values()]
    return tuple(sorted(made, key=lambda row: (order.index(row.name) if row.name in order else 99, row.name)))


def _table(table: TableReading, kept_in: TableReading, topics: Mapping[str, str], shot: Snapshot, now_ns: int) -> Table:
    return Table(
        name=table.name,
        engine=table.engine,
        topic=topics.get(table.name, ""),
        rows=table.rows,
        rows_per_min=_per_min(shot, table.name),
        size_bytes=kept_in.size_bytes,
        parts=kept_in.parts,
        inserted_age_s=_since_s(kept_in.inserted_ns, now_ns),
        trend=shot.trends.get(f"rows|{table.name}", ()),
    )


def _per_min(shot: Snapshot, table: str) -> float | None:
    rate = shot.slow_rates_per_s.get(f"rows|{table}")
    return None if rate is None else rate * 60


def _since_s(time_ns: int | None, now_ns: int) -> float | None:
    return None if time_ns is None else max(0.0, (now_ns - time_ns) / NS_PER_S)


ALERTS = "alerts"  # what fires, which is no cursor


def cursors(shot: Snapshot, now_ns: int) -> tuple[Cursor, ...]:
    """Return every `state:` string that says how far a source was read; one that is named a timestamp has an age."""
    held = shot.redis.cursors if shot.redis else {}
    return tuple(
        Cursor(f"state:{name}", value, _time_age_s(name, value, now_ns))
        for name, value in held.items()
        if name != ALERTS
    )


def _time_age_s(name: str, value: str, now_ns: int) -> float | None:
    if not name.endswith("timestamp") or not value.isdigit():
        return None
    seconds = int(value)
    return now_ns / NS_PER_S - seconds if EARLIEST_TIME_S < seconds < LATEST_TIME_S else None


def events(shot: Snapshot, now_ns: int) -> tuple[Event, ...]:
    """Return the newest feed events, newest first."""
    return tuple(
        Event(
            received_ns=event.received_ns,
            age_s=(now_ns - event.received_ns) / NS_PER_S,
            venue=event.venue,
            symbol=event.symbol,
            channel=event.channel,
            kind=event.kind,
            words=_event_words(event),
        )
        for event in shot.events
    )


def _event_words(event: FeedEvent) -> str:
    words = [event.detail] if event.detail else []
    if event.expected or event.found:
        words.append(f"expected {event.expected or 'nothing'}, found {event.found or 'nothing'}")
    if event.to_ns > event.from_ns and event.kind in STRETCHES:
        words.append(f"over {(event.to_ns - event.from_ns) / NS_PER_S:.3f} s")
    return "; ".join(words)
