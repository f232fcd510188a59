"""Polymarket's messages as records: what needs no memory."""

from collections.abc import Iterator

from common.records import BookUpdate, EventKind, FeedEvent, Quote, Status
from ingesters.feed import Frame
from ingesters.venues.polymarket_clob_book import TokenBook
from ingesters.venues.polymarket_clob_ladder import Texts
from ingesters.venues.polymarket_clob_wire import (
    VENUE,
    BestBidAsk,
    Change,
    MarketResolved,
    NewMarket,
    TickSize,
    nanoseconds,
)


def delta_of(token: str, changes: list[Change], event_ns: int, received_ns: int) -> BookUpdate:
    """Return the changes of one token in one message."""
    bids = [change for change in changes if change.side == "BUY"]
    asks = [change for change in changes if change.side == "SELL"]
    return BookUpdate(
        VENUE,
        token,
        received_ns,
        event_ns=event_ns,
        kind="delta",
        bid_prices=tuple([change.price for change in bids]),
        bid_sizes=tuple([change.size for change in bids]),
        ask_prices=tuple([change.price for change in asks]),
        ask_sizes=tuple([change.size for change in asks]),
    )


def snapshot_of(token: str, sides: tuple[list[Texts], list[Texts]], event_ns: int, received_ns: int) -> BookUpdate:
    """Return a whole book, best level first."""
    bids, asks = sides
    return BookUpdate(
        VENUE,
        token,
        received_ns,
        event_ns=event_ns,
        kind="snapshot",
        bid_prices=tuple([price for price, _ in bids]),
        bid_sizes=tuple([size for _, size in bids]),
        ask_prices=tuple([price for price, _ in asks]),
        ask_sizes=tuple([size for _, size in asks]),
    )


def quote_of(message: BestBidAsk, book: TokenBook | None, received_ns: int) -> Quote:
    """Return best prices with the sizes of our book at them, 0 where it has no such level: the venue tells none."""
    bid, ask = message.best_bid or "0", message.best_ask or "0"
    nothing = ("", "0")
    bids, asks = (book.bids.levels, book.asks.levels) if book else ({}, {})
    return Quote(
        venue=VENUE,
        symbol=message.asset_id,
        received_ns=received_ns,
        event_ns=nanoseconds(message.timestamp),
        bid_price=bid,
        bid_size=bids.get(float(bid), nothing)[1],
        ask_price=ask,
        ask_size=asks.get(-float(ask), nothing)[1],
    )


def tick_size_of(message: TickSize, received_ns: int) -> Status:
    """Return a new smallest price step."""
    return Status(
        venue=VENUE,
        symbol=message.asset_id,
        received_ns=received_ns,
        event_ns=nanoseconds(message.timestamp),
        kind="tick_size",
        status=message.new_tick_size,
        detail=f"was {message.old_tick_size}",
    )


def listed(message: NewMarket, received_ns: int) -> Iterator[Status]:
    """Yield for each token of a new market that it can be traded."""
    outcomes = message.outcomes if len(message.outcomes) == len(message.assets_ids) else [""] * len(message.assets_ids)
    for token, outcome in zip(message.assets_ids, outcomes, strict=True):
        yield Status(
            venue=VENUE,
            symbol=token,
            received_ns=received_ns,
            event_ns=nanoseconds(message.timestamp),
            kind="trading",
            status="new_market",
            reason=message.question,
            detail=f"{message.slug} {outcome}".strip(),
        )


def resolved(message: MarketResolved, received_ns: int) -> Iterator[Status]:
    """Yield for each token of a market whether it won."""
    for token in dict.fromkeys([*message.assets_ids, message.winning_asset_id]):
        yield Status(
            venue=VENUE,
            symbol=token,
            received_ns=received_ns,
            event_ns=nanoseconds(message.timestamp),
            kind="resolution",
            status="won" if token == message.winning_asset_id else "lost",
            reason=message.winning_outcome,
        )


def event(
    kind: EventKind, token: str, span: tuple[int, int], received_ns: int, *, channel: str, what: tuple[str, str, str]
) -> FeedEvent:
    """Return something a user must know; `what` is expected, found, detail."""
    expected, found, detail = what
    return FeedEvent(
        VENUE,
        token,
        received_ns,
        channel=channel,
        kind=kind,
        from_ns=min(span),
        to_ns=span[1],
        expected=expected,
        found=found,
        detail=detail,
    )


def told(kind: EventKind, frame: Frame, *, channel: str, detail: str, symbol: str = "") -> FeedEvent:
    """Return something about the venue as a whole, now."""
    now_ns = frame.received_ns
    return event(kind, symbol, (now_ns, now_ns), now_ns, channel=channel, what=("", "", detail))
