"""The two markets of Alpaca: one feed, told apart by a declaration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from common.clock import NS_PER_S
from common.market_hours import CORE, is_open, open_ns, stocks_hours
from common.settings import Settings

_QUARTER_HOUR_NS = 900 * NS_PER_S
_LATE_NS = 600 * NS_PER_S  # what is still told after the close
STOCK_PATHS = {"boats": "/v1beta1/boats", "overnight": "/v1beta1/overnight"}  # all others are /v2/<feed>
# REST knows the consolidated tape as `sip`, and lets everybody ask for what is a quarter of an hour old.
REST_FEEDS = {"delayed_sip": "sip"}


@dataclass(frozen=True)
class Market:
    """
    What one of the programs listens to.

    `channels` must be had, `extras` are asked for one by one: not every feed has each. `delay_ns` is how late the
    venue tells what happened; `rest_feed` is None where nothing can be asked again; `is_busy` tells whether every
    symbol is traded at that moment, so that silence means something.
    """

    program: str
    symbols: Sequence[str]
    socket_path: str
    channels: tuple[str, ...]
    extras: tuple[str, ...]
    rest_path: str
    rest_feed: str | None
    delay_ns: int
    open_ns: Callable[[int, int], int]
    is_busy: Callable[[int], bool]

    def missed_ns(self, newest_ns: int, from_ns: int, to_ns: int) -> int:
        """Return for how long something may have happened; a feed that spoke while all was closed may do so again."""
        spoke_at_night = self.open_ns(newest_ns - _LATE_NS, newest_ns) == 0
        return to_ns - from_ns if spoke_at_night else self.open_ns(from_ns, to_ns)

    @property
    def state(self) -> str:
        """Return how the names of its strings in Redis begin: `alpaca_stocks`."""
        return self.program.removesuffix("_ingester")


def stocks(settings: Settings) -> Market:
    """Return US stocks, from the feed that the settings name."""
    feed = settings.alpaca_stocks_feed
    is_test = feed == "test"
    hours = stocks_hours(feed)
    return Market(
        program="alpaca_stocks_ingester",
        symbols=settings.alpaca_stocks_symbols,
        socket_path=STOCK_PATHS.get(feed, f"/v2/{feed}"),
        channels=("trades", "quotes", "bars"),
        extras=() if is_test else ("updatedBars", "dailyBars", "statuses", "lulds", "imbalances"),
        rest_path="/v2/stocks/trades",
        rest_feed=None if is_test else REST_FEEDS.get(feed, feed),
        delay_ns=_QUARTER_HOUR_NS if feed == "delayed_sip" else 0,
        open_ns=partial(open_ns, hours=hours) if hours else _always,
        is_busy=lambda now_ns: is_test or (hours is not None and is_open(now_ns, CORE)),
    )


def crypto(settings: Settings) -> Market:
    """Return crypto as Alpaca itself trades it."""
    return Market(
        program="alpaca_crypto_ingester",
        symbols=settings.alpaca_crypto_symbols,
        socket_path="/v1beta3/crypto/us",
        channels=("trades", "quotes", "bars", "orderbooks"),
        extras=("updatedBars", "dailyBars"),
        rest_path="/v1beta3/crypto/us/trades",
        rest_feed="",
        delay_ns=0,
        open_ns=_always,
        is_busy=lambda _: True,
    )


def stocks_mute_s(settings: Settings, now_ns: int) -> float:
    """Return after how long a silent socket is mute: never while the exchanges are closed, for quiet is not dead."""
    hours = stocks_hours(settings.alpaca_stocks_feed)
    return settings.alpaca_mute_s if hours is None or is_open(now_ns, hours) else float("inf")


def why_disabled(settings: Settings, *, name: str, is_on: bool) -> str | None:
    """Return why a program does not run; None when it does."""
    keys = {"ALPACA_API_KEY": settings.alpaca_api_key, "ALPACA_SECRET_KEY": settings.alpaca_secret_key}
    if not is_on:
        return f"{name}_ENABLED=false"
    missing = [name for name, key in keys.items() if key is None]
    return f"set {' and '.join(missing)}" if missing else None


def _always(from_ns: int, to_ns: int) -> int:
    return to_ns - from_ns
