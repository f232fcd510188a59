"""Polymarket's trades as a processor makes them: linked to their markets as far as these are known."""

import polars as pl

from common.records import REMOVED
from common.streams import TRADE_CORRECTIONS, WANTED_TOKENS
from processors.processor import Made
from processors.transforms.order_trades import order_trades

CORRECTION = ("venue", "symbol", "received_ns", "trade_id", "event_ns")


def tokens_of(events: pl.DataFrame) -> pl.Series:
    """Return the outcome tokens that a batch of order events names."""
    return events.filter(pl.col("symbol") != "")["symbol"]


def polymarket_trades(events: pl.DataFrame, tokens: pl.DataFrame) -> Made:
    """
    Return the trades of a batch of order events.

    Args:
        events: OrderEvents with their `offset`.
        tokens: (token_id, market_id, outcome) as far as known. A trade of another token has an empty market and
            outcome, never a guessed one, and its token is wanted.

    Of a trade that is taken back the corrections tell as well: its candles are made anew.
    """
    trades, refused = order_trades(events, tokens)
    places = events.with_row_index("index").select("index", "offset")
    gone = trades.filter(pl.col("source") == REMOVED).select(*CORRECTION, action=pl.lit(REMOVED))
    unknown = trades.filter(pl.col("market_id") == "")["symbol"].unique(maintain_order=True).to_list()
    return Made(
        trades,
        refused.join(places, on="index", maintain_order="left").select("offset", "reason"),
        {WANTED_TOKENS: unknown} if unknown else {},
        {} if gone.is_empty() else {TRADE_CORRECTIONS: gone},
    )
