"""VENUES: one line per program that listens to a venue."""

from common.clock import now_ns
from common.settings import Settings
from common.streams import (
    BARS,
    BOOK_SNAPSHOTS,
    BOOKS,
    DEAD_LETTERS,
    FEED_EVENTS,
    MARKETS,
    ORDER_EVENTS,
    QUOTES,
    STATUSES,
    TICKERS,
    TRADE_CORRECTIONS,
    TRADES,
)
from ingesters.venue import Budget, Venue
from ingesters.venues import alpaca, alpaca_market
from ingesters.venues.binance import BinanceFeed
from ingesters.venues.goldsky import GoldskyFeed
from ingesters.venues.okx import OkxFeed
from ingesters.venues.polygon import PolygonFeed
from ingesters.venues.polymarket import PolymarketFeed
from ingesters.venues.polymarket_clob import PolymarketClobFeed
from ingesters.venues.upstox import UpstoxFeed


def _switch(name: str, is_on: bool) -> str | None:  # noqa: FBT001  one caller below, read aloud it is plain
    return None if is_on else f"{name}_ENABLED=false"


def _why_no_upstox(settings: Settings) -> str | None:
    if settings.upstox_access_token is None and settings.upstox_token_url is None:
        return "set UPSTOX_ACCESS_TOKEN or UPSTOX_TOKEN_URL"
    return _switch("UPSTOX", settings.upstox_enabled)


ALWAYS = (FEED_EVENTS, DEAD_LETTERS)

ALPACA_BUDGET = Budget(weight=100, window_s=60)  # half of the 200 a minute of the free plan, for both programs
FIREWALL = (403,)  # at a venue where nobody signs in, the word of what stands before it for a busy address
# Whether Alpaca sends pings is not documented, so silence alone decides, and only while the market is open.
NIGHT_S = 7 * 86_400.0

VENUES = (
    Venue(
        program="polymarket_ingester",
        name="polymarket",
        feed=PolymarketFeed,
        why_disabled=lambda settings: _switch("POLYMARKET", settings.polymarket_enabled),
        topics=(MARKETS, *ALWAYS),
        state=("polymarket_offset", "polymarket_cursor"),
        # Half of the 300 a venue's address may ask /markets in 10 s.
        budget=Budget(weight=150, window_s=10, slow_down=FIREWALL),
    ),
    Venue(
        program="polymarket_clob_ingester",
        name="polymarket_clob",
        feed=PolymarketClobFeed,
        why_disabled=lambda settings: _switch("POLYMARKET_CLOB", settings.polymarket_clob_enabled),
        topics=(TRADES, QUOTES, BOOKS, STATUSES, *ALWAYS),
        state=("polymarket_clob_tokens",),
        # A third of what one address may ask Gamma, a fifth of the books.
        budget=Budget(weight=100, window_s=10, slow_down=FIREWALL),
        recorded_as="polymarket",
        mute_s=lambda _: 45.0,  # four PINGs without a PONG; a token's silence is the feed's business
    ),
    Venue(
        program="goldsky_ingester",
        name="goldsky",
        feed=GoldskyFeed,
        why_disabled=lambda settings: _switch("GOLDSKY", settings.goldsky_enabled),
        topics=(ORDER_EVENTS, *ALWAYS),
        state=("goldsky_last_timestamp", "goldsky_last_id", "goldsky_wish", "goldsky_settled"),
        budget=Budget(weight=40, window_s=10, slow_down=FIREWALL),  # of 50 in 10 s
    ),
    Venue(
        program="polygon_ingester",
        name="polygon",
        feed=PolygonFeed,
        why_disabled=lambda settings: (
            _switch("POLYGON", settings.polygon_enabled) if settings.polygon_rpc_url else "set POLYGON_RPC_URL"
        ),
        topics=(ORDER_EVENTS, *ALWAYS),
        state=("polygon_last_block", "polygon_recent", "polygon_wish", "polygon_settled"),
        budget=Budget(weight=250, window_s=10),  # of calls; public endpoints take about 300 in 10 s
    ),
    Venue(
        program="binance_ingester",
        name="binance",
        feed=BinanceFeed,
        why_disabled=lambda settings: _switch("BINANCE", settings.binance_enabled),
        topics=(TRADES, QUOTES, BOOKS, BOOK_SNAPSHOTS, TICKERS, BARS, *ALWAYS),
        state=("binance_backfill", "binance_settled"),
        # Half of 6000 a minute.
        budget=Budget(weight=3000, window_s=60, slow_down=FIREWALL, told="X-MBX-USED-WEIGHT-1M", limit=6000),
        mute_s=lambda settings: settings.binance_mute_s,
        has_spares=lambda settings: settings.binance_hot_spare,
    ),
    Venue(
        program="okx_ingester",
        name="okx",
        feed=OkxFeed,
        why_disabled=lambda settings: _switch("OKX", settings.okx_enabled),
        topics=(TRADES, QUOTES, BOOKS, BOOK_SNAPSHOTS, TICKERS, BARS, *ALWAYS),
        state=("okx_backfill", "okx_settled", "okx_books_full"),
        # Each endpoint has a limit of its own: see WEIGHTS in okx_cycles.
        budget=Budget(weight=100, window_s=2, slow_down=FIREWALL),
        mute_s=lambda settings: settings.okx_mute_s,
        has_spares=lambda settings: settings.okx_hot_spare,
    ),
    Venue(
        program="upstox_ingester",
        name="upstox",
        feed=UpstoxFeed,
        why_disabled=_why_no_upstox,
        topics=(QUOTES, BOOK_SNAPSHOTS, TICKERS, BARS, STATUSES, *ALWAYS),
        state=("upstox_missed", "upstox_filled", "upstox_backfill", "upstox_settled"),
        budget=Budget(weight=250, window_s=60),  # half of 500 a minute
        dead_s=600.0,  # its pings are rare in a quiet night
        mute_s=lambda _: 7 * 86_400.0,  # the feed judges silence itself: it knows when markets are open
    ),
    Venue(
        program="alpaca_stocks_ingester",
        name="alpaca",
        feed=alpaca.stocks_feed,
        why_disabled=lambda settings: alpaca_market.why_disabled(
            settings, name="ALPACA_STOCKS", is_on=settings.alpaca_stocks_enabled
        ),
        topics=(TRADES, TRADE_CORRECTIONS, QUOTES, BARS, STATUSES, *ALWAYS),
        state=alpaca.state_names("alpaca_stocks"),
        budget=ALPACA_BUDGET,
        dead_s=NIGHT_S,
        mute_s=lambda settings: alpaca_market.stocks_mute_s(settings, now_ns()),
    ),
    Venue(
        program="alpaca_crypto_ingester",
        name="alpaca",
        feed=alpaca.crypto_feed,
        why_disabled=lambda settings: alpaca_market.why_disabled(
            settings, name="ALPACA_CRYPTO", is_on=settings.alpaca_crypto_enabled
        ),
        topics=(TRADES, QUOTES, BARS, BOOKS, *ALWAYS),
        state=alpaca.state_names("alpaca_crypto"),
        budget=ALPACA_BUDGET,
        dead_s=NIGHT_S,
        mute_s=lambda settings: settings.alpaca_mute_s,
    ),
)


def of_program(program: str) -> Venue | None:
    """Return the venue of a program, None when there is no such program."""
    return next((venue for venue in VENUES if venue.program == program), None)
