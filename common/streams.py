"""STREAMS: every topic, what it carries, and how long it is kept once every group has read it."""

import zlib
from dataclasses import dataclass

from common.book_stat import BookStat
from common.records import (
    Action,
    Alert,
    Bar,
    BookSnapshot,
    BookUpdate,
    Candle,
    DeadLetter,
    FeedEvent,
    KeyFigure,
    Market,
    OrderEvent,
    Quote,
    Record,
    Status,
    Ticker,
    Trade,
    TradeCorrection,
)

MINUTE_S = 60


@dataclass(frozen=True)
class Stream:
    """
    A topic in Redis.

    `shards` is the default number of shards: with one, the key is `stream:<topic>`, with more it is
    `stream:{<topic>:<shard>}`, the braces keeping everything about a shard on one node of a Redis Cluster. Order
    within a shard is kept, and a symbol always goes to the same shard. On their way into a table its records may wait
    for company `patience` times as long as the settings say: an insert costs as much for one row as for a hundred.
    """

    topic: str
    record: type[Record]
    shards: int = 1
    retention_s: int = 60 * MINUTE_S
    patience: int = 1

    def key(self, shard: int, shards: int) -> str:
        """Return the Redis key of one shard."""
        return f"stream:{self.topic}" if shards == 1 else f"stream:{{{self.topic}:{shard}}}"

    def keys(self, shards: int) -> list[str]:
        """Return the Redis keys of all shards."""
        return [self.key(shard, shards) for shard in range(shards)]


def shard_of(venue: str, symbol: str, shards: int) -> int:
    """Return where a symbol's records go; the same on every machine and in every version."""
    return zlib.crc32(f"{venue}:{symbol}".encode()) % shards


MARKETS = Stream("markets", Market)
ORDER_EVENTS = Stream("order_events", OrderEvent)
TRADES = Stream("trades", Trade, retention_s=10 * MINUTE_S)
QUOTES = Stream("quotes", Quote, retention_s=10 * MINUTE_S)
BOOKS = Stream("books", BookUpdate, shards=4, retention_s=10 * MINUTE_S, patience=3)
BOOK_SNAPSHOTS = Stream("book_snapshots", BookSnapshot, retention_s=10 * MINUTE_S, patience=10)
BOOK_STATS = Stream("book_stats", BookStat, retention_s=5 * MINUTE_S, patience=10)
TICKERS = Stream("tickers", Ticker, patience=10)
BARS = Stream("bars", Bar, patience=10)
CANDLES = Stream("candles", Candle, retention_s=5 * MINUTE_S)  # for those who listen: the views bars_… are the record
TRADE_CORRECTIONS = Stream("trade_corrections", TradeCorrection)
STATUSES = Stream("statuses", Status)
FEED_EVENTS = Stream("feed_events", FeedEvent)
DEAD_LETTERS = Stream("dead_letters", DeadLetter)
ALERTS = Stream("alerts", Alert)
ACTIONS = Stream("actions", Action)
KEY_FIGURES = Stream("key_figures", KeyFigure)

STREAMS = (
    MARKETS,
    ORDER_EVENTS,
    TRADES,
    TRADE_CORRECTIONS,
    QUOTES,
    BOOKS,
    BOOK_SNAPSHOTS,
    BOOK_STATS,
    TICKERS,
    BARS,
    CANDLES,
    STATUSES,
    FEED_EVENTS,
    DEAD_LETTERS,
    ALERTS,
    ACTIONS,
    KEY_FIGURES,
)

# A set of words beside the streams: outcome tokens that order events name and no market is known for.
WANTED_TOKENS = "wanted:tokens"


# Another: the programs whose venue is being recorded byte for byte.
RECORDING = "recording"

# Another: the ingesters that a person has switched off, for every start of the fleet until they are switched on.
SWITCHED_OFF = "venues:off"


def symbols_key(program: str) -> str:
    """Return the key of the set that replaces the symbols of an ingester's settings while it is not empty."""
    return f"symbols:{program}"


BY_RECORD: dict[type[Record], Stream] = {stream.record: stream for stream in STREAMS}
BY_TOPIC: dict[str, Stream] = {stream.topic: stream for stream in STREAMS}
