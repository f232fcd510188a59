"""TABLES: every table that is fed from a stream: its columns, their origin in the record, and how they are stored."""

from common.book_stat_table import BOOK_STAT_ROWS
from common.columns import Column, Table, removed_of
from common.streams import (
    ACTIONS,
    ALERTS,
    BARS,
    BOOK_SNAPSHOTS,
    BOOKS,
    DEAD_LETTERS,
    FEED_EVENTS,
    KEY_FIGURES,
    MARKETS,
    ORDER_EVENTS,
    QUOTES,
    STATUSES,
    TICKERS,
    TRADE_CORRECTIONS,
    TRADES,
)

VENUE = Column("venue", "word", "venue", "venue, lower case")
SYMBOL = Column("symbol", "word", "symbol", "the venue's own spelling")
TOKEN = Column("symbol", "text", "symbol", "outcome token, empty where the event does not tell one")
EVENT = Column("event_time", "time", "event_ns", "when the venue says it happened")
MAYBE_EVENT = Column(
    "event_time", "time", "event_ns", "when the venue says it happened, null if it does not", optional=True
)
RECEIVED = Column("received_time", "time", "received_ns", "when the bytes reached us")
SEQUENCE = Column("sequence", "count", "sequence", "the venue's running number, null if it has none", optional=True)


def _number(name: str, comment: str, *, optional: bool = False) -> Column:
    return Column(name, "number", name, comment, optional=optional)


def _text(name: str, comment: str, *, optional: bool = False) -> Column:
    return Column(name, "text", name, comment, optional=optional)


def _word(name: str, comment: str) -> Column:
    return Column(name, "word", name, comment)


MARKET_VERSIONS = Table(
    "market_versions",
    MARKETS,
    (
        VENUE,
        _text("market_id", "Gamma's id"),
        _text("condition_id", "id of the condition on chain"),
        _text("question", "what is bet on"),
        _text("slug", "name in the address"),
        Column("outcomes", "texts", "outcomes", "names of the outcomes, in the order of token_ids"),
        Column("token_ids", "texts", "token_ids", "outcome tokens (asset ids), 78-digit numbers as text"),
        Column("neg_risk", "flag", "neg_risk", "settles on the neg-risk exchange", optional=True),
        _text("neg_risk_market_id", "the question of which exactly one outcome comes true, empty if it is none"),
        _text("event_id", "Gamma's event that it stands in, empty if it is in none"),
        Column("active", "flag", "active", "as Gamma tells it", optional=True),
        Column("closed", "flag", "closed", "as Gamma tells it", optional=True),
        Column("created_time", "time", "created_ns", "when Gamma created it", optional=True),
        Column("end_time", "time", "end_ns", "when it is to end", optional=True),
        Column("closed_time", "time", "closed_ns", "when it closed", optional=True),
        _number("volume", "traded so far, USDC, null where Gamma has no figure", optional=True),
        _number("liquidity", "USDC in the book, null where Gamma has no figure", optional=True),
        Column("updated_time", "time", "event_ns", "Gamma's last change, null if not told", optional=True),
        RECEIVED,
    ),
    order_by="market_id",
    partition_by="tuple()",
    comment="Every version of a Polymarket market that was seen; read `markets` for the newest.",
    engine="ReplacingMergeTree(offset)",
)

ORDER_EVENT_ROWS = Table(
    "order_events",
    ORDER_EVENTS,
    (
        VENUE,
        TOKEN,
        _text("event_id", "transaction hash and order hash"),
        EVENT,
        RECEIVED,
        _text("transaction_hash", "transaction on Polygon"),
        _text("order_hash", "the order that was filled: its CLOB order id"),
        _text("maker", "owner of the filled order"),
        _text("taker", "the other side, or the exchange contract for the taker's own order"),
        _text("maker_asset_id", "what the maker gave: 0 is collateral, else an outcome token"),
        _text("taker_asset_id", "what the maker got"),
        Column("maker_amount", "whole", "maker_amount", "given by the maker, millionths"),
        Column("taker_amount", "whole", "taker_amount", "got by the maker, millionths"),
        Column("fee", "whole", "fee", "millionths of what the maker got; the exchange may refund it later"),
        _word("role", "maker_fill, or taker_order: never add the two"),
        _word("source", "subgraph or chain"),
        _word("via", "live, or backfill: read later, by hand or because it had been left out"),
    ),
    order_by="(event_time, event_id)",
    partition_by="toYYYYMM(event_time)",
    comment="OrderFilled events of the Polymarket exchanges, one row each.",
    identity=("venue", "event_id"),
    removed="removed_order_events",
)

TRADE_ROWS = Table(
    "trades",
    TRADES,
    (
        VENUE,
        SYMBOL,
        _text("trade_id", "the venue's id"),
        EVENT,
        RECEIVED,
        _number("price", "quote currency"),
        _number("size", "base currency"),
        _number("notional", "price x size, quote currency"),
        _word("taker_side", "buy, sell or unknown"),
        _word("source", "live, backfill or derived"),
        SEQUENCE,
        _text("market_id", "Polymarket's market, empty elsewhere and until it is known"),
        _word("outcome", "Polymarket's outcome, empty elsewhere and until it is known"),
        _text("maker", "address, where the venue tells"),
        _text("taker", "address, where the venue tells"),
        _text("transaction_hash", "where the venue tells"),
        _word("exchange", "where it was made, if the venue gathers several"),
        _word("conditions", "the venue's own marks, separated by commas"),
    ),
    order_by="(venue, symbol, event_time, offset)",
    partition_by="toYYYYMM(event_time)",
    comment="Trades of all venues, each once.",
    identity=("venue", "symbol", "trade_id"),
    removed="removed_trades",
)

TRADE_CORRECTION_ROWS = Table(
    "trade_corrections",
    TRADE_CORRECTIONS,
    (
        VENUE,
        SYMBOL,
        _text("trade_id", "the trade as it was told first"),
        _word("action", "cancel: it never was; correct: it was as the new values say"),
        EVENT,
        RECEIVED,
        _text("new_trade_id", "its id from now on, empty if it is cancelled or keeps its id"),
        _number("new_price", "quote currency", optional=True),
        _number("new_size", "base currency", optional=True),
        _word("new_conditions", "the venue's own marks, separated by commas"),
        _text("detail", "what else the venue said"),
    ),
    order_by="(venue, symbol, event_time, offset)",
    partition_by="toYYYYMM(event_time)",
    comment="Trades that a venue took back or changed; `trades` keeps them as they were told.",
)

QUOTE_ROWS = Table(
    "quotes",
    QUOTES,
    (
        VENUE,
        SYMBOL,
        MAYBE_EVENT,
        RECEIVED,
        _number("bid_price", "best bid, quote currency"),
        _number("bid_size", "base currency"),
        _number("ask_price", "best ask, quote currency"),
        _number("ask_size", "base currency"),
        SEQUENCE,
        _word("bid_exchange", "who bids, if the venue gathers several exchanges"),
        _word("ask_exchange", "who asks, if the venue gathers several exchanges"),
        _word("conditions", "the venue's own marks, separated by commas"),
    ),
    order_by="(venue, symbol, received_time, offset)",
    partition_by="toYYYYMMDD(received_time)",
    comment="Best bid and ask after each change that the venue told.",
)

LEVELS = (
    Column("bid_prices", "numbers", "bid_prices", "quote currency, best first in a snapshot"),
    Column("bid_sizes", "numbers", "bid_sizes", "base currency"),
    Column("ask_prices", "numbers", "ask_prices", "quote currency, best first in a snapshot"),
    Column("ask_sizes", "numbers", "ask_sizes", "base currency"),
    Column("bid_orders", "counts", "bid_orders", "orders at each level, empty if the venue does not tell"),
    Column("ask_orders", "counts", "ask_orders", "orders at each level, empty if the venue does not tell"),
)

BOOK_UPDATE_ROWS = Table(
    "book_updates",
    BOOKS,
    (
        VENUE,
        SYMBOL,
        MAYBE_EVENT,
        RECEIVED,
        _word("kind", "snapshot replaces the book, delta sets levels (size 0 removes one)"),
        Column("first_sequence", "count", "first_sequence", "first book version the message covers", optional=True),
        Column("last_sequence", "count", "last_sequence", "book version after it", optional=True),
        *LEVELS,
        Column("depth", "small", "depth", "levels a side of a limited snapshot, null if it is whole", optional=True),
    ),
    order_by="(venue, symbol, received_time, offset)",
    partition_by="toYYYYMMDD(received_time)",
    comment="Order books as the venue told them, message by message.",
)

BOOK_SNAPSHOT_ROWS = Table(
    "book_snapshots",
    BOOK_SNAPSHOTS,
    (
        VENUE,
        SYMBOL,
        MAYBE_EVENT,
        RECEIVED,
        Column("depth", "small", "depth", "levels a side that were asked for"),
        *LEVELS,
        _word("source", "maintained by us, rest: asked for, partial: the venue's own top"),
        SEQUENCE,
    ),
    order_by="(venue, symbol, received_time, offset)",
    partition_by="toYYYYMMDD(received_time)",
    comment="Whole books, or their best levels, at an instant.",
)

TICKER_ROWS = Table(
    "tickers",
    TICKERS,
    (
        VENUE,
        SYMBOL,
        MAYBE_EVENT,
        RECEIVED,
        _number("last_price", "quote currency"),
        _number("last_size", "base currency", optional=True),
        Column("last_trade_time", "time", "last_trade_ns", "of the last trade", optional=True),
        _number("volume", "base currency, over the venue's own window", optional=True),
        _number("quote_volume", "quote currency, over the venue's own window", optional=True),
        _number("open_interest", "contracts", optional=True),
        _number("bid_price", "best bid", optional=True),
        _number("bid_size", "base currency", optional=True),
        _number("ask_price", "best ask", optional=True),
        _number("ask_size", "base currency", optional=True),
        _number("open", "of the venue's own window", optional=True),
        _number("high", "of the venue's own window", optional=True),
        _number("low", "of the venue's own window", optional=True),
        _number("previous_close", "of the session before", optional=True),
        _number("average_price", "of the venue's own window", optional=True),
        _number("total_bid_size", "of all levels", optional=True),
        _number("total_ask_size", "of all levels", optional=True),
        _number("implied_volatility", "as the venue has it", optional=True),
        _number("delta", "as the venue has it", optional=True),
        _number("gamma", "as the venue has it", optional=True),
        _number("theta", "as the venue has it", optional=True),
        _number("vega", "as the venue has it", optional=True),
        _number("rho", "as the venue has it", optional=True),
        Column("repeats", "count", "repeats", "times the row before it was said again, null if never", optional=True),
    ),
    order_by="(venue, symbol, received_time, offset)",
    partition_by="toYYYYMM(received_time)",
    comment="Tickers and conflated ticks.",
)

BAR_VERSIONS = Table(
    "bar_versions",
    BARS,
    (
        VENUE,
        SYMBOL,
        _word("interval", "the venue's spelling, e.g. 1m"),
        Column("open_time", "time", "open_ns", "start of the bar, inclusive"),
        _number("open", "quote currency"),
        _number("high", "quote currency"),
        _number("low", "quote currency"),
        _number("close", "quote currency"),
        _number("volume", "base currency"),
        _number("quote_volume", "quote currency, null if not told", optional=True),
        _number("vwap", "quote currency, null if not told", optional=True),
        Column("trades", "count", "trades", "number of trades, null if not told", optional=True),
        Column("is_closed", "flag", "is_closed", "whether the venue calls it final", optional=True),
        MAYBE_EVENT,
        RECEIVED,
        _word("source", "live, or backfill: asked for later"),
    ),
    order_by="(venue, symbol, interval, open_time)",
    partition_by="toYYYYMM(open_time)",
    comment="Every version of the venues' own candles; read `bars` for the newest.",
    engine="ReplacingMergeTree(offset)",
)

STATUS_ROWS = Table(
    "statuses",
    STATUSES,
    (
        VENUE,
        SYMBOL,
        _word("kind", "trading, price_band, tick_size, resolution or session"),
        _word("status", "the venue's own word"),
        _text("reason", "the venue's own words"),
        _number("lower_price", "lower limit, quote currency", optional=True),
        _number("upper_price", "upper limit, quote currency", optional=True),
        _text("detail", "what else the venue said"),
        MAYBE_EVENT,
        RECEIVED,
    ),
    order_by="(venue, symbol, received_time, offset)",
    partition_by="toYYYYMM(received_time)",
    comment="What instruments and markets may do: halts, price bands, tick sizes, sessions, resolutions.",
)

FEED_EVENT_ROWS = Table(
    "feed_events",
    FEED_EVENTS,
    (
        VENUE,
        SYMBOL,
        _word("channel", "what it concerns: trade, depth, socket, subgraph, ..."),
        _word("kind", "connected, disconnected, gap, resync, stale, backfilled, refused or schema_change"),
        Column("from_time", "time", "from_ns", "start of the stretch concerned"),
        Column("to_time", "time", "to_ns", "end of the stretch concerned"),
        _text("expected", "e.g. the sequence that should have come"),
        _text("found", "what came instead"),
        _text("detail", "in words"),
        RECEIVED,
    ),
    order_by="(venue, from_time, offset)",
    partition_by="toYYYYMM(from_time)",
    comment="What a user of the data must know: every gap, resync and refusal, with its interval.",
)

DEAD_LETTER_ROWS = Table(
    "dead_letters",
    DEAD_LETTERS,
    (
        _text("id", "digest of place and payload"),
        VENUE,
        SYMBOL,
        RECEIVED,
        _word("stream", "where it stood, empty if it never reached a stream"),
        _word("program", "who set it aside"),
        _text("reason", "why"),
        Column("attempts", "small", "attempts", "how often it was tried"),
        _text("payload", "the bytes, whole"),
        _word("encoding", "text or base64"),
    ),
    order_by="(received_time, offset)",
    partition_by="toYYYYMM(received_time)",
    comment="What could not be read or stored, whole.",
)

ALERT_ROWS = Table(
    "alerts",
    ALERTS,
    (
        _word("rule", "what was looked for"),
        _text("subject", "what it is about"),
        _word("state", "firing or over"),
        _text("words", "how bad it is"),
        Column("since_time", "time", "since_ns", "when it began"),
        RECEIVED,
    ),
    order_by="(received_time, offset)",
    partition_by="toYYYYMM(received_time)",
    comment="Alarms of the fleet: when each began and when it was over.",
)

ACTION_ROWS = Table(
    "actions",
    ACTIONS,
    (
        _text("who", "who did it: the name given to the dashboard, or the user of the machine"),
        _text("way", "from where: the dashboard and the address, or the command line"),
        _word("action", "what was done"),
        _text("subject", "to what"),
        _text("command", "the same at a prompt"),
        _text("before", "what stood there"),
        _text("after", "what stands there since"),
        _text("outcome", "done, or why not"),
        RECEIVED,
    ),
    order_by="(received_time, offset)",
    partition_by="toYYYYMM(received_time)",
    comment="What people did to the fleet, from the dashboard and at a prompt.",
)

KEY_FIGURE_ROWS = Table(
    "key_figures",
    KEY_FIGURES,
    (
        _word("name", "lag_s, lag, in, stream, rows or memory; docs/schema.md says what each is"),
        _word("label", "what it is of: a group on a stream, a venue, a stream, a table"),
        Column("step_time", "time", "step_ns", "when the minute began that it is of"),
        Column("value", "real", "value", "in the unit that goes with the name"),
        RECEIVED,
    ),
    order_by="(name, label, step_time, offset)",
    partition_by="toYYYYMM(step_time)",
    comment="Key figures of the fleet by the minute, of the last thirty days.",
    ttl="toDateTime(step_time) + INTERVAL 30 DAY",
)

TABLES = (
    MARKET_VERSIONS,
    ORDER_EVENT_ROWS,
    TRADE_ROWS,
    TRADE_CORRECTION_ROWS,
    QUOTE_ROWS,
    BOOK_UPDATE_ROWS,
    BOOK_SNAPSHOT_ROWS,
    BOOK_STAT_ROWS,
    TICKER_ROWS,
    BAR_VERSIONS,
    STATUS_ROWS,
    FEED_EVENT_ROWS,
    DEAD_LETTER_ROWS,
    ALERT_ROWS,
    ACTION_ROWS,
    KEY_FIGURE_ROWS,
)

# What the sources of some take back goes into a table beside.
REMOVED_ROWS = tuple(removed_of(table) for table in TABLES if table.removed)
