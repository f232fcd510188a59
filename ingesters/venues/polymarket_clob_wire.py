"""
What Polymarket's order book service sends on its market channel and answers to a question for books, typed.

Only the keys that we use are asked for; `polymarket_clob_fields` sees the others. Numbers are decimal texts, times are
milliseconds as text. https://docs.polymarket.com/developers/CLOB/websocket/market-channel
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from common.clock import NS_PER_MS

VENUE = "polymarket_clob"
PROGRAM = "polymarket_clob_ingester"

Side = Literal["BUY", "SELL"]
Stamp = str | int


class Level(msgspec.Struct, gc=False):
    """A price and the size at it; the order of the two is that of the bytes which the venue hashes."""

    price: str
    size: str


Levels = list[Level]


class BookMessage(msgspec.Struct, tag_field="event_type", tag="book", gc=False):
    """The whole book of a token, best level last: after a subscription and after each trade."""

    asset_id: str
    timestamp: Stamp
    market: str = ""
    hash: str = ""
    bids: Levels | msgspec.UnsetType = msgspec.UNSET
    asks: Levels | msgspec.UnsetType = msgspec.UNSET
    buys: Levels | msgspec.UnsetType = msgspec.UNSET  # the names until 2024
    sells: Levels | msgspec.UnsetType = msgspec.UNSET
    tick_size: str | None = None
    last_trade_price: str | None = None


class Change(msgspec.Struct, gc=False):
    """A level that changed: its new absolute size (0 removes it), and the best prices after it where they are told."""

    price: str
    size: str
    side: Side
    asset_id: str = ""
    best_bid: str | None = None
    best_ask: str | None = None


class PriceChange(msgspec.Struct, tag_field="event_type", tag="price_change", gc=False):
    """
    Levels that changed, in one of three generations.

    One level in the message itself (2024); several of one token under `changes` (until September 2025); since then
    under `price_changes`, where each names its token: mostly both tokens of a market, the one mirroring the other.
    """

    timestamp: Stamp
    price_changes: list[Change] = []
    changes: list[Change] = []
    asset_id: str = ""
    price: str = ""
    size: str = ""
    side: Side | None = None


class TradeMessage(msgspec.Struct, tag_field="event_type", tag="last_trade_price", gc=False):
    """A trade; `side` is the taker's."""

    asset_id: str
    price: str
    size: str
    side: Side
    timestamp: Stamp
    transaction_hash: str | None = None


class TickSize(msgspec.Struct, tag_field="event_type", tag="tick_size_change", gc=False):
    """The smallest price step of a token is another one from now on."""

    asset_id: str
    old_tick_size: str
    new_tick_size: str
    timestamp: Stamp


class BestBidAsk(msgspec.Struct, tag_field="event_type", tag="best_bid_ask", gc=False):
    """The best prices, without their sizes."""

    asset_id: str
    best_bid: str
    best_ask: str
    timestamp: Stamp


class NewMarket(msgspec.Struct, tag_field="event_type", tag="new_market", gc=False):
    """A market that can be traded from now on: told of all markets, whatever was subscribed to."""

    assets_ids: list[str]
    timestamp: Stamp
    question: str = ""
    slug: str = ""
    outcomes: list[str] = []


class MarketResolved(msgspec.Struct, tag_field="event_type", tag="market_resolved", gc=False):
    """A market that has come to its end."""

    assets_ids: list[str]
    winning_asset_id: str
    timestamp: Stamp
    winning_outcome: str = ""


Message = BookMessage | PriceChange | TradeMessage | TickSize | BestBidAsk | NewMarket | MarketResolved


class RestBook(msgspec.Struct, gc=False):
    """A book as GET /book and POST /books answer it, best level last; `timestamp` is that of its last change."""

    asset_id: str
    timestamp: Stamp
    bids: Levels
    asks: Levels
    market: str = ""
    hash: str = ""
    min_order_size: str | None = None
    tick_size: str | None = None
    neg_risk: bool | None = None
    last_trade_price: str | None = None


class Kind(msgspec.Struct, gc=False):
    """Any message, read just far enough to tell what it is."""

    event_type: str = ""
    asset_id: str = ""


MESSAGE = msgspec.json.Decoder(Message)
ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
KIND = msgspec.json.Decoder(Kind)
REST_BOOKS = msgspec.json.Decoder(list[RestBook])


def milliseconds(stamp: Stamp) -> int:
    """Return a time of the venue."""
    return int(stamp)


def nanoseconds(stamp: Stamp) -> int:
    """Return a time of the venue."""
    return int(stamp) * NS_PER_MS


def sides_of(message: BookMessage) -> tuple[Levels, Levels]:
    """Return bids and asks; raise ValueError where a side is missing, for that is not an empty one."""
    bids = message.buys if message.bids is msgspec.UNSET else message.bids
    asks = message.sells if message.asks is msgspec.UNSET else message.asks
    if bids is msgspec.UNSET or asks is msgspec.UNSET:
        raise ValueError("expected the bids and the asks of a book")
    return bids, asks


def changes_of(message: PriceChange) -> Sequence[Change]:
    """Return the levels of a message of any generation, each with its token; raise ValueError if there are none."""
    if message.price_changes:
        return message.price_changes
    if message.changes and message.asset_id:
        return [msgspec.structs.replace(change, asset_id=message.asset_id) for change in message.changes]
    if message.side is not None and message.asset_id and message.price:
        return (Change(message.price, message.size, message.side, message.asset_id),)
    raise ValueError("expected at least one level with its token")
