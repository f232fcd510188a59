"""VENUES: one line per program that listens to a venue."""

from common.streams import (
    BARS,
    BOOK_SNAPSHOTS,
    BOOKS,
    DEAD_LETTERS,
    FEED_EVENTS,
    MARKETS,
    ORDER_EVENTS,
    QUOTES,
    TICKERS,
    TRADES,
)
from ingesters.venue import Budget, Venue
from ingesters.venues.binance import BinanceFeed
from ingesters.venues.goldsky import GoldskyFeed
from ingesters.venues.okx import OkxFeed
from ingesters.venues.polymarket import PolymarketFeed


def _switch(name: str, is_on: bool) -> str | None:  # noqa: FBT001  one caller below, read aloud it is plain
    return None if is_on else f"{name}_ENABLED=false"


ALWAYS = (FEED_EVENTS, DEAD_LETTERS)

VENUES = (
    Venue(
        program="polymarket_ingester",
        name="polymarket",
        feed=PolymarketFeed,
        why_disabled=lambda settings: _switch("POLYMARKET", settings.polymarket_enabled),
        topics=(MARKETS, *ALWAYS),
        state=("polymarket_offset", "polymarket_cursor"),
        budget=Budget(weight=150, window_s=10),  # half of the 300 a venue's address may ask /markets in 10 s
    ),
    Venue(
        program="goldsky_ingester",
        name="goldsky",
        feed=GoldskyFeed,
        why_disabled=lambda settings: _switch("GOLDSKY", settings.goldsky_enabled),
        topics=(ORDER_EVENTS, *ALWAYS),
        state=("goldsky_last_timestamp", "goldsky_last_id"),
        budget=Budget(weight=40, window_s=10),  # of 50 in 10 s
    ),
    Venue(
        program="binance_ingester",
        name="binance",
        feed=BinanceFeed,
        why_disabled=lambda settings: _switch("BINANCE", settings.binance_enabled),
        topics=(TRADES, QUOTES, BOOKS, BOOK_SNAPSHOTS, TICKERS, BARS, *ALWAYS),
        state=("binance_backfill",),
        budget=Budget(weight=3000, window_s=60),  # half of 6000 a minute
        mute_s=lambda settings: settings.binance_mute_s,
    ),
    Venue(
        program="okx_ingester",
        name="okx",
        feed=OkxFeed,
        why_disabled=lambda settings: _switch("OKX", settings.okx_enabled),
        topics=(TRADES, QUOTES, BOOKS, BOOK_SNAPSHOTS, TICKERS, BARS, *ALWAYS),
        state=("okx_backfill",),
        budget=Budget(weight=80, window_s=2),  # each endpoint has a limit of its own: see WEIGHTS in okx_cycles
        mute_s=lambda settings: settings.okx_mute_s,
    ),
)


def of_program(program: str) -> Venue | None:
    """Return the venue of a program, None when there is no such program."""
    return next((venue for venue in VENUES if venue.program == program), None)
