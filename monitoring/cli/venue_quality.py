"""What `fleet quality` says of each venue: what came, what was missing and for how long, and how late it came."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl
from rich.table import Table

from common.clock import now_ns
from common.errors import Unreachable
from common.readings import RedisReading
from common.redis_readings import RedisReader
from common.settings import Settings
from monitoring.cli.asking import ask_clickhouse, ask_redis
from monitoring.cli.exits import words_of
from monitoring.cli.printing import number, table, tell
from monitoring.wholeness import Told, wholeness

Line = dict[str, Any]

# Who told an order event is told by its source: all of them are Polymarket's. The subgraph and the chain are walked
# from their beginning, so how old an event is says nothing about the wire.
FILLER = "if(source = 'chain', 'polygon', 'goldsky')"
RECORDED: Mapping[str, tuple[str, str, str]] = {  # table -> whose, the venue's time, which rows
    "trades": ("venue", "event_time", "source != 'derived'"),
    "trade_corrections": ("venue", "NULL", "1"),
    "quotes": ("venue", "event_time", "1"),
    "book_updates": ("venue", "event_time", "1"),
    "book_snapshots": ("venue", "NULL", "source != 'maintained'"),
    "tickers": ("venue", "NULL", "1"),
    "statuses": ("venue", "NULL", "1"),
    "bar_versions": ("venue", "NULL", "1"),
    "market_versions": ("venue", "NULL", "1"),
    "order_events": (FILLER, "NULL", "1"),
}
SINCE = "received_time >= fromUnixTimestamp64Nano({since:Int64})"
TRADES = f"""
SELECT venue, countIf(source = 'backfill') AS backfilled,
       countIf(source = 'live' AND sequence IS NULL) AS unnumbered, countIf(sequence IS NOT NULL) AS numbered
FROM trades WHERE {SINCE} GROUP BY venue
"""  # noqa: S608  nothing of it comes from outside
EVENTS = f"""
SELECT venue, symbol, channel, kind, toUnixTimestamp64Nano(from_time), toUnixTimestamp64Nano(to_time),
       toUnixTimestamp64Nano(received_time)
FROM feed_events WHERE {SINCE} AND kind NOT IN ('refused', 'schema_change') ORDER BY received_time, shard, offset
"""  # noqa: S608  as above


def venue_lines(settings: Settings, since_ns: int) -> list[Line]:
    """Return a line for each venue that was recorded or spoke of itself since then."""
    only = {"since": since_ns}
    rows = {row["venue"]: row for row in ask_clickhouse(settings, recorded_sql(), only).to_dicts()}
    trades = {row["venue"]: row for row in ask_clickhouse(settings, TRADES, only).to_dicts()}
    told = [Told(*row) for row in ask_clickhouse(settings, EVENTS, only).iter_rows()]
    heard = _heard(settings)
    venues = sorted({*rows, *heard, *(event.venue for event in told)} - {"tickfleet", ""})
    return [
        _line(
            venue,
            rows.get(venue, {}),
            trades.get(venue, {}),
            [event for event in told if event.venue == venue],
            (since_ns, now_ns()),
        )
        | heard.get(venue, {"messages": None, "nothing_new": None, "messages_since_s": None})
        for venue in venues
    ]


def recorded_sql() -> str:
    """Return the question for (venue, records, symbols, first_ns, p50_ms, p99_ms)."""
    parts = " UNION ALL ".join(
        f"SELECT {whose} AS venue, {'market_id' if name == 'market_versions' else 'symbol'} AS symbol, received_time, "  # noqa: S608  from the literal above
        f"{_late_ms(name, at)} AS late_ms FROM {name} WHERE {SINCE} AND {which}"
        for name, (whose, at, which) in RECORDED.items()
    )
    return (
        "SELECT venue, count() AS records, uniqExact(symbol) AS symbols, "  # noqa: S608  as above
        "toUnixTimestamp64Nano(min(received_time)) AS first_ns, "
        "quantilesTDigest(0.5, 0.99)(late_ms) AS late FROM (" + parts + ") GROUP BY venue"
    )


def _late_ms(name: str, at: str) -> str:
    """Return the expression for how long a record was under way, null where that is not known."""
    if at == "NULL":
        return "CAST(NULL AS Nullable(Float64))"
    lasted = f"(toUnixTimestamp64Nano(received_time) - toUnixTimestamp64Nano({at})) / 1e6"
    live = "source = 'live'" if name == "trades" else "1"
    return f"CAST(if({live}, {lasted}, NULL) AS Nullable(Float64))"


def _line(venue: str, rows: Line, trades: Line, told: Sequence[Told], window: tuple[int, int]) -> Line:
    begun_ns = max(window[0], min([window[1], rows.get("first_ns", window[1]), *(one.received_ns for one in told)]))
    whole = wholeness(told, (begun_ns, window[1]), rows.get("symbols", 0))
    is_numbered = bool(trades.get("numbered"))
    late = rows.get("late") or [None, None]
    return {
        "venue": venue,
        "records": rows.get("records", 0),
        "symbols": rows.get("symbols", 0),
        "gaps": whole.gaps,
        "resyncs": whole.resyncs,
        "resync_p50_ms": whole.resync_p50_ms,
        "resync_p95_ms": whole.resync_p95_ms,
        "backfilled": trades.get("backfilled", 0),
        "late": trades.get("unnumbered", 0) if is_numbered else None,
        "in_sync_pct": whole.in_sync_pct,
        "recorded_s": (window[1] - begun_ns) / 1e9,
        "under_way_p50_ms": _known(late[0]),
        "under_way_p99_ms": _known(late[1]),
    }


def _known(value: float | None) -> float | None:
    return None if value is None or value != value else value  # noqa: PLR0124  that is how NaN is known


def _heard(settings: Settings) -> dict[str, Line]:
    """Return what the ingesters themselves count since they were started; nothing when Redis does not answer."""
    try:
        reading: RedisReading = ask_redis(settings, lambda redis: RedisReader(redis).read(now_ns()))
    except Unreachable as error:
        tell(*words_of(error), "how many messages came is not known without it")
        return {}
    found: dict[str, Line] = {}
    for process in reading.processes:
        if process.fact("kind") == "ingester":
            line = found.setdefault(process.fact("venue"), {"messages": 0, "nothing_new": 0, "messages_since_s": 0.0})
            line["messages"] += process.total("frames_total") or 0
            line["nothing_new"] += process.total("frames_without_news_total") or 0
            age_s = (now_ns() - process.figures.get("started_ns", now_ns())) / 1e9
            line["messages_since_s"] = max(line["messages_since_s"], age_s)
    return found


def shown(lines: Iterable[Line], since: str) -> Table:
    """Return the lines as a table for people."""
    columns = (
        *("venue", "messages>", "records>", "gaps>", "resyncs>", "p50 ms>", "p95 ms>", "back-filled>", "nothing new>"),
        *("late>", "in sync %>", "under way p50 ms>", "p99 ms>"),
    )
    title = f"since {since}; messages, and those that told nothing new, since the ingester started"
    return table(title, columns, map(_cells, lines))


def _cells(line: Line) -> tuple[str, ...]:
    whole = ("messages", "records", "gaps", "resyncs")
    return (
        line["venue"],
        *(number(line[name]) for name in whole),
        *(number(line[name], digits=0) for name in ("resync_p50_ms", "resync_p95_ms", "backfilled")),
        number(line.get("nothing_new")),
        number(line["late"]),
        number(line["in_sync_pct"], digits=3),
        *(
            number(None if is_ahead(line) else line[name], digits=1)
            for name in ("under_way_p50_ms", "under_way_p99_ms")
        ),
    )


def is_ahead(line: Line) -> bool:
    """Return whether a venue's clock is ahead of ours: most of its messages came before they were sent."""
    return (line["under_way_p50_ms"] or 0.0) < 0.0


def clocks_ahead(lines: Iterable[Line]) -> Iterator[str]:
    """Yield a sentence for each venue whose clock is ahead; one that is behind looks like lateness."""
    for line in filter(is_ahead, lines):
        ahead = number(-line["under_way_p50_ms"], digits=1)
        yield f"{line['venue']}: its clock is {ahead} ms or more ahead of ours, so how late it tells is not known"


def told_of(lines: Sequence[Line], events: pl.DataFrame) -> list[Line]:
    """Return the lines with what each venue was told about itself; a venue that only told something has one, too."""
    rows = events.to_dicts()
    return [{**line, "told": [row for row in rows if row["venue"] == line["venue"]]} for line in lines]
