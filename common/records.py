"""
The vocabulary: what travels in the streams, typed where the wire is understood.

Prices and sizes are the venue's decimal text, never a float: `"61837.63000000"`. Prices are in quote currency, sizes
in base currency. Every record has two times in nanoseconds since the epoch: `event_ns`, when the venue says it
happened (None where the venue does not say), and `received_ns`, when its bytes reached us. `sequence` is the venue's
own running number of that symbol and kind, where it has one.
"""

from typing import Literal

import msgspec

TakerSide = Literal["buy", "sell", "unknown"]
REMOVED = "removed"  # the source of a record that takes back the one of the same id before it
EventKind = Literal["connected", "disconnected", "gap", "resync", "stale", "backfilled", "refused", "schema_change"]


class Record(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What every record has: the venue, the venue's spelling of the symbol, and when its bytes came."""

    venue: str
    symbol: str
    received_ns: int


class Trade(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """
    A match between two orders, once. `notional` is price x size in quote currency where the source states it.

    With the source `removed` it says of the trade of the same id before it that its chain has taken it back.
    """

    trade_id: str
    event_ns: int
    price: str
    size: str
    taker_side: TakerSide
    source: Literal["live", "backfill", "derived", "removed"] = "live"
    sequence: int | None = None
    notional: str | None = None
    market_id: str = ""
    outcome: str = ""
    maker: str = ""
    taker: str = ""
    transaction_hash: str = ""
    exchange: str = ""
    conditions: str = ""


class TradeCorrection(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """
    What a venue said later of a trade that it had told: it never was (`cancel`), or it was otherwise (`correct`).

    `trade_id` is the trade as it was told; the new values are None when it was cancelled. What a chain has `removed` is
    not in the table of trades any more; it may come again.
    """

    trade_id: str
    action: Literal["cancel", "correct", "removed"]
    event_ns: int
    new_trade_id: str = ""
    new_price: str | None = None
    new_size: str | None = None
    new_conditions: str = ""
    detail: str = ""
    sequence: int | None = None


class Status(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """
    What an instrument or a whole market (`symbol` empty) may do from now on.

    `kind` says what it is about: "trading" (open, halted ...), "price_band" (LULD), "tick_size", "resolution",
    "session". Limits are prices in quote currency where the venue tells them.
    """

    event_ns: int | None = None
    kind: str
    status: str
    reason: str = ""
    lower_price: str | None = None
    upper_price: str | None = None
    detail: str = ""
    sequence: int | None = None


class Quote(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The best bid and ask after a change of either; who quotes them where a venue gathers several exchanges."""

    event_ns: int | None = None
    bid_price: str
    bid_size: str
    ask_price: str
    ask_size: str
    sequence: int | None = None
    bid_exchange: str = ""
    ask_exchange: str = ""
    conditions: str = ""


class BookUpdate(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """
    A snapshot (replaces the book) or a delta (sets levels; size 0 removes one; an unknown removal is no error).

    Levels are parallel arrays, best level first in a snapshot. `last_sequence` is the book's version afterwards, None
    where the venue numbers nothing; `bid_orders` and `ask_orders` count the orders of each level where it tells them.
    A snapshot of `depth` levels knows nothing of what lies behind its last level; None when it is the whole book.
    """

    event_ns: int | None = None
    kind: Literal["snapshot", "delta"]
    first_sequence: int | None = None
    last_sequence: int | None = None
    bid_prices: tuple[str, ...]
    bid_sizes: tuple[str, ...]
    ask_prices: tuple[str, ...]
    ask_sizes: tuple[str, ...]
    bid_orders: tuple[int, ...] = ()
    ask_orders: tuple[int, ...] = ()
    depth: int | None = None

    @property
    def sequence(self) -> int | None:
        """The number by which a repeated update is known."""
        return self.last_sequence


class BookSnapshot(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """
    A book at an instant, best level first: as we keep it (`maintained`), as asked for by REST, or the venue's own top.

    `depth` is the number of levels a side that were asked for; fewer stand there when the book has no more.
    """

    event_ns: int | None = None
    depth: int
    bid_prices: tuple[str, ...]
    bid_sizes: tuple[str, ...]
    ask_prices: tuple[str, ...]
    ask_sizes: tuple[str, ...]
    bid_orders: tuple[int, ...] = ()
    ask_orders: tuple[int, ...] = ()
    source: Literal["maintained", "rest", "partial"]
    sequence: int | None = None


class Ticker(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """
    A venue's ticker or conflated tick; None is what the venue did not tell.

    `volume` is in base, `quote_volume` in quote currency, over the venue's own window; greeks are as the venue tells.
    `repeats` counts how often the venue had said the ticker before this one again, word for word.
    """

    event_ns: int | None = None
    last_price: str
    last_size: str | None = None
    last_trade_ns: int | None = None
    volume: str | None = None
    quote_volume: str | None = None
    open_interest: str | None = None
    bid_price: str | None = None
    bid_size: str | None = None
    ask_price: str | None = None
    ask_size: str | None = None
    open: str | None = None
    high: str | None = None
    low: str | None = None
    previous_close: str | None = None
    average_price: str | None = None
    total_bid_size: str | None = None
    total_ask_size: str | None = None
    implied_volatility: str | None = None
    delta: str | None = None
    gamma: str | None = None
    theta: str | None = None
    vega: str | None = None
    rho: str | None = None
    repeats: int | None = None
    sequence: int | None = None


class Bar(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A venue's own candle over [open_ns, open_ns + interval); a later version replaces an earlier one."""

    event_ns: int | None = None
    interval: str
    open_ns: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    quote_volume: str | None = None
    vwap: str | None = None
    trades: int | None = None
    is_closed: bool | None = None
    source: Literal["live", "backfill"] = "live"
    sequence: int | None = None


class Candle(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """
    A candle of ours as it stood at an instant of its shard's time, `event_ns`, over [open_ns, open_ns + interval).

    A later one replaces an earlier one whole, also when it is closed already: a trade came late, or was corrected.
    Where every trade of it was cancelled there are none, and no prices.
    """

    event_ns: int
    interval: Literal["1s", "1m", "1h", "1d"]
    open_ns: int
    open: str | None = None
    high: str | None = None
    low: str | None = None
    close: str | None = None
    volume: str
    notional: str
    buy_volume: str
    sell_volume: str
    vwap: float | None = None
    trades: int
    is_closed: bool
    sequence: int | None = None


class OrderEvent(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """
    An OrderFilled event of a Polymarket exchange contract, as the chain holds it.

    Amounts and fee are integers in millionths (micro-USDC or micro-shares), as text. `symbol` is the outcome token,
    empty when the event does not have exactly one side in collateral (asset id "0"). With the source `removed` it says
    of the event of the same id before it that a reorganisation took it off the chain; it may come again. `source` says
    who told it, and `via` whether that was in its turn, or later: by hand, or because it had been left out.
    """

    event_id: str
    event_ns: int
    transaction_hash: str
    order_hash: str
    maker: str
    taker: str
    maker_asset_id: str
    taker_asset_id: str
    maker_amount: str
    taker_amount: str
    fee: str
    role: Literal["maker_fill", "taker_order"]
    source: Literal["subgraph", "chain", "removed"]
    via: Literal["live", "backfill"] = "live"
    sequence: int | None = None


class Market(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """
    A Polymarket market as Gamma last told it; `symbol` is its slug. None where Gamma left the key out.

    `event_id` is the event that Gamma shows it in, `neg_risk_market_id` what it shares with the other outcomes of one
    question of which exactly one comes true; both are empty where there is none.
    """

    event_ns: int | None = None
    market_id: str
    condition_id: str
    question: str
    slug: str
    outcomes: tuple[str, ...]
    token_ids: tuple[str, ...]
    neg_risk: bool | None = None
    neg_risk_market_id: str = ""
    event_id: str = ""
    active: bool | None = None
    closed: bool | None = None
    created_ns: int | None = None
    end_ns: int | None = None
    closed_ns: int | None = None
    volume: str | None = None
    liquidity: str | None = None
    sequence: int | None = None


class FeedEvent(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Something a user of the data must know; `from_ns`..`to_ns` is the stretch of data that it concerns."""

    channel: str
    kind: EventKind
    from_ns: int
    to_ns: int
    expected: str = ""
    found: str = ""
    detail: str = ""
    sequence: int | None = None


class DeadLetter(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What could not be read or stored, whole; `payload` is base64 when `encoding` says so."""

    id: str
    stream: str
    program: str
    reason: str
    attempts: int = 1
    payload: str
    encoding: Literal["text", "base64"] = "text"
    sequence: int | None = None


class Alert(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """An alarm of the fleet's own began (`firing`) or ended (`over`); it concerns no venue's data."""

    rule: str
    subject: str
    state: Literal["firing", "over"]
    words: str
    since_ns: int
    sequence: int | None = None


class Action(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """
    Something that a person did to the fleet; it concerns no venue's data.

    `command` is the same deed at a prompt, `before` and `after` are what stood there; what failed says so in `outcome`.
    """

    who: str
    way: str
    action: str
    subject: str
    command: str
    before: str = ""
    after: str = ""
    outcome: str
    sequence: int | None = None


class KeyFigure(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """
    One figure of the fleet over the minute that began at `step_ns`; it concerns no venue's data.

    `name` is the kind of figure, `label` what it is of: `lag_s` of `clickhouse_writer on trades`.
    """

    name: str
    label: str
    step_ns: int
    value: float
    sequence: int | None = None
