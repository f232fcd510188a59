"""What ClickHouse is asked for /instruments: every venue and symbol of the last day, each with its newest figures."""

from collections.abc import Sequence
from dataclasses import dataclass

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
SELECT venue, symbol, argMax(kind, (received_time, offset)) AS last_kind,
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

FIGURES = ("last_price", "bid", "ask", "spread_bps", "trades")


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
    frames = [await store.query(sql) for sql in (TICKED, QUOTED, BOOKED, TRADED, RECENT)]
    frames[2] = frames[2].with_columns(has_book=pl.lit(value=True))
    troubled = await store.query(TROUBLED, {"channels": list(OF_BOOK)})
    listed = merged(frames, troubled)
    names = await names_of(store, listed.filter(pl.col("venue").is_in(PREDICTION))["symbol"].to_list())
    return tuple(
        Listed(name=names.get(row["symbol"], "") if row["venue"] in PREDICTION else "", **row)
        for row in listed.iter_rows(named=True)
    )


def merged(frames: Sequence[pl.DataFrame], troubled: pl.DataFrame) -> pl.DataFrame:
    """
    Return one row an instrument, by venue and symbol: of each figure the one that the last frame with it tells.

    A book is in order if it is not crossed and the last that was told of it, if anything, was a resync.
    """
    whole = pl.concat([_named(frame) for frame in frames], how="diagonal_relaxed")
    facts = whole.group_by("venue", "symbol", maintain_order=True).agg(
        *(pl.col(name).drop_nulls().last() for name in (*FIGURES, "is_crossed", "has_book")),
        pl.col("heard_ns").max(),
    )
    told = facts.join(_named(troubled), on=("venue", "symbol"), how="left")
    has_book = pl.col("has_book").fill_null(value=False)
    is_ordered = (pl.col("last_kind") == "resync").fill_null(pl.col("is_crossed").cast(pl.Boolean).not_())
    return told.select(
        "venue",
        "symbol",
        *FIGURES,
        "heard_ns",
        has_book=has_book,
        is_in_sync=pl.when(has_book).then(is_ordered),
        gap_ns=pl.when(has_book & (pl.col("gap_ns") != 0)).then(pl.col("gap_ns")),
    ).sort("venue", "symbol")


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("venue", "symbol").cast(pl.String))


async def names_of(store: Store, tokens: list[str]) -> dict[str, str]:
    """Return what the outcome tokens stand for, as far as their markets are known."""
    if not tokens:
        return {}
    frame: pl.DataFrame = await store.query(QUESTIONS, {"tokens": tokens})
    return {row["symbol"]: f"{row['question']} {row['outcome']}".strip() for row in frame.to_dicts()}
