"""What ClickHouse is asked for /instruments: every venue and symbol of the last day, each with its newest figures."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from common.clickhouse import Store
from monitoring.asked import question

# A book is out of order from a gap on these channels until the next resync; what else is told does not concern it.
OF_BOOK = ("depth", "book", "books", "bbo-tbt", "orderbooks", "books-l2-tbt", "books50-l2-tbt", "books5")
TRADED = question("""
SELECT venue, symbol, toFloat64(argMaxMerge(close)) AS last_price, toUnixTimestamp64Nano(max(open_time)) AS heard_ns,
       toInt64(sum(trades)) AS trades
FROM bars_1m_state WHERE open_time >= now() - INTERVAL 1 DAY GROUP BY venue, symbol $bounded
""")
BOOKED = question("""
SELECT venue, symbol, toFloat64(argMax(best_bid, event_time)) AS bid, toFloat64(argMax(best_ask, event_time)) AS ask,
       argMax(spread_bps, event_time) AS spread_bps, toUnixTimestamp64Nano(max(received_time)) AS heard_ns,
       argMax(is_crossed, event_time) AS is_crossed
FROM book_stats WHERE event_time >= now() - INTERVAL 15 MINUTE GROUP BY venue, symbol $bounded
""")
QUOTED = question("""
SELECT venue, symbol, toFloat64(argMax(bid_price, received_time)) AS bid,
       toFloat64(argMax(ask_price, received_time)) AS ask, toUnixTimestamp64Nano(max(received_time)) AS heard_ns
FROM quotes WHERE received_time >= now() - INTERVAL 15 MINUTE GROUP BY venue, symbol $bounded
""")
TICKED = question("""
SELECT venue, symbol, toFloat64(argMax(last_price, received_time)) AS last_price,
       toUnixTimestamp64Nano(max(received_time)) AS heard_ns
FROM tickers WHERE received_time >= now() - INTERVAL 15 MINUTE GROUP BY venue, symbol $bounded
""")
RECENT = question("""
SELECT venue, symbol, toUnixTimestamp64Nano(max(event_time)) AS heard_ns
FROM trades WHERE event_time >= now() - INTERVAL 15 MINUTE GROUP BY venue, symbol $bounded
""")
TROUBLED = question("""
SELECT venue, symbol, argMax(kind, received_time) AS last_kind,
       toUnixTimestamp64Nano(maxIf(received_time, kind = 'gap')) AS gap_ns
FROM feed_events WHERE from_time >= now() - INTERVAL 1 DAY AND symbol != ''
  AND channel IN {channels:Array(String)}
  AND kind IN ('gap', 'resync', 'stale')
GROUP BY venue, symbol $bounded
""")
QUESTIONS = question("""
SELECT tokens.token_id AS symbol, tokens.outcome AS outcome, markets.question AS question
FROM (SELECT token_id, market_id, outcome FROM market_tokens WHERE token_id IN {tokens:Array(String)}) AS tokens
LEFT ANY JOIN (
    SELECT market_id, argMax(question, offset) AS question FROM market_versions
    WHERE market_id IN (SELECT market_id FROM market_tokens WHERE token_id IN {tokens:Array(String)})
    GROUP BY market_id
) AS markets ON tokens.market_id = markets.market_id $bounded
""")
PREDICTION = ("polymarket", "polymarket_clob")
Key = tuple[str, str]


@dataclass(frozen=True)
class Listed:
    """An instrument as the tables have it; None is what no table tells."""

    venue: str
    symbol: str
    name: str = ""
    last_price: float | None = None
    bid: float | None = None
    ask: float | None = None
    spread_bps: float | None = None
    has_book: bool = False
    is_in_sync: bool | None = None
    gap_ns: int | None = None
    heard_ns: int | None = None
    trades: int | None = None


async def instruments_of(store: Store) -> tuple[Listed, ...]:
    """Return every instrument of which anything was stored lately, by venue and symbol."""
    found: dict[Key, dict[str, Any]] = {}
    for sql in (TICKED, QUOTED, BOOKED, TRADED, RECENT):
        _take(found, (await store.query(sql)).to_dicts(), has_book=sql is BOOKED)
    for row in (await store.query(TROUBLED, {"channels": list(OF_BOOK)})).to_dicts():
        known = found.get((row["venue"], row["symbol"]))
        if known and known.get("has_book"):
            known["is_in_sync"] = row["last_kind"] == "resync"
            known["gap_ns"] = row["gap_ns"] or None
    tokens = [symbol for venue, symbol in found if venue in PREDICTION]
    names = await names_of(store, tokens)
    return tuple(
        Listed(venue, symbol, name=names.get(symbol, "") if venue in PREDICTION else "", **facts)
        for (venue, symbol), facts in sorted(found.items())
    )


def _take(found: dict[Key, dict[str, Any]], rows: Iterable[dict[str, Any]], *, has_book: bool) -> None:
    for row in rows:
        facts = found.setdefault((row.pop("venue"), row.pop("symbol")), {})
        row["heard_ns"] = max(row["heard_ns"], facts.get("heard_ns") or 0)
        is_crossed = row.pop("is_crossed", None)
        facts |= {name: value for name, value in row.items() if value is not None}
        if has_book:
            facts |= {"has_book": True, "is_in_sync": not is_crossed}


async def names_of(store: Store, tokens: list[str]) -> dict[str, str]:
    """Return what the outcome tokens stand for, as far as their markets are known."""
    if not tokens:
        return {}
    frame: pl.DataFrame = await store.query(QUESTIONS, {"tokens": tokens})
    return {row["symbol"]: f"{row['question']} {row['outcome']}".strip() for row in frame.to_dicts()}
