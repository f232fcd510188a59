"""An invented CLOB: books of the markets that the invented Gamma lists, as far as somebody asks for them."""

import asyncio
import random
from collections import deque

import msgspec

from common.clock import NS_PER_MS
from simulator.demo.clob_market import MILLS, InventedClobMarket, Listed
from simulator.demo.gamma import InventedMarkets
from simulator.faults import Clock
from simulator.ledger import Book, Fact
from simulator.markets import Row
from simulator.venues.clob_listener import ClobFrame, Listener

TURN_S = 0.05
TURNS_PER_LISTING = 40
MARKETS = "top:25"
MOST_UNSENT = 20_000
USUAL_RATE = 1.5  # things that happen in a market each second; a few markets are much busier


class InGamma(msgspec.Struct, rename="camel"):
    """What the CLOB has to know of a market that Gamma lists."""

    condition_id: str
    question: str
    slug: str
    outcomes: str
    clob_token_ids: str = "[]"  # noqa: S105  (a list of outcome tokens)
    position_ids: tuple[str, ...] = ()
    neg_risk: bool = False
    order_price_min_tick_size: float = 0.01
    best_ask: float = 0.5


class InventedClob:
    """All books on one clock."""

    def __init__(self, chance: random.Random, listing: InventedMarkets, snapshot_assets: int, clock: Clock) -> None:
        self.published = Book()
        self._chance = chance
        self._clock = clock
        self._listing = listing
        self._snapshot_assets = snapshot_assets
        self._by_token: dict[str, InventedClobMarket] = {}
        self._rates: dict[InventedClobMarket, float] = {}
        self._unsent: dict[Listener, deque[ClobFrame]] = {}
        self._known = set(listing.markets.ids())
        self._of_row: dict[str, InventedClobMarket] = {}

    def chosen(self) -> str:
        """Return the largest markets by volume."""
        return MARKETS

    async def play(self, listener: Listener) -> None:
        """Send the books of what is subscribed to, then what happens in them."""
        unsent: deque[ClobFrame] = deque()
        self._unsent[listener] = unsent
        try:
            while True:
                await asyncio.sleep(TURN_S / 2)
                if listener.fresh:
                    await self._greet(listener)
                if unsent:
                    frames = [frame.outgoing for frame in unsent]
                    unsent.clear()
                    await listener.wire.send(frames)
        finally:
            del self._unsent[listener]

    async def live(self) -> None:
        """Move the markets until the end."""
        turn = 0
        while True:
            await asyncio.sleep(TURN_S)
            turn += 1
            for market, rate in list(self._rates.items()):
                while self._chance.random() < rate * TURN_S:
                    for frame in market.act(self._now_ms()):
                        self._publish(frame)
            if turn % TURNS_PER_LISTING == 0:
                self._look_at_the_listing()

    def book(self, token: str) -> bytes | None:
        """Return a token's book; the first question for it makes one."""
        market = self._market(token)
        return market.rest_book(token) if market else None

    async def _greet(self, listener: Listener) -> None:
        """Send first books in one array; past the venue's limit none are sent, without a word."""
        fresh, listener.fresh = listener.fresh, []
        markets = list(dict.fromkeys(market for token in fresh if (market := self._market(token))))
        if len(listener.tokens) > self._snapshot_assets:
            return
        for market in markets:
            self._unsent_books(listener, market, fresh)

    def _unsent_books(self, listener: Listener, market: InventedClobMarket, fresh: list[str]) -> None:
        tokens = tuple(token for token in market.listed.tokens if token in fresh)
        payload = b"[" + b",".join(market.books(tokens)) + b"]"
        # Behind what waits already: a change that came before the book must not be put on top of it.
        self._unsent[listener].append(
            ClobFrame("book", tokens, payload, tuple(Fact(token, "book") for token in tokens))
        )

    def _market(self, token: str) -> InventedClobMarket | None:
        if token in self._by_token:
            return self._by_token[token]
        rows = self._listing.markets.page((("clob_token_ids", token),), 0, 1) if token.isdigit() else []
        if not rows or rows[0].market.closed:
            return None
        listed = _listed(rows[0])
        market = InventedClobMarket(listed, self._chance, self._now_ms())
        self._by_token |= dict.fromkeys(listed.tokens, market)
        self._rates[market] = min(0.8 / TURN_S, self._chance.lognormvariate(-0.7, 1.2) * USUAL_RATE)
        self._of_row[rows[0].market.id] = market
        return market

    def _publish(self, frame: ClobFrame) -> None:
        for fact in frame.facts:
            self.published.count(fact)
        for listener, unsent in self._unsent.items():
            if listener.wants(frame):
                unsent.append(frame)
                if len(unsent) > MOST_UNSENT:
                    unsent.clear()
                    listener.wire.abort()

    def _look_at_the_listing(self) -> None:
        for number in self._listing.markets.ids():
            row = self._listing.markets.find("id", number)
            if row is not None and number not in self._known:
                self._known.add(number)
                self._publish(_announcement(row, self._now_ms()))
        for number, market in list(self._of_row.items()):
            row = self._listing.markets.find("id", number)
            if row is not None and row.market.closed:
                del self._of_row[number]
                self._rates.pop(market, None)
                self._publish(self._end(row, market))

    def _end(self, row: Row, market: InventedClobMarket) -> ClobFrame:
        winner = self._chance.randrange(2)
        told = _head("market_resolved", row, self._now_ms()) | {
            "winning_asset_id": market.listed.tokens[winner],
            "winning_outcome": msgspec.json.decode(_in_gamma(row).outcomes)[winner],
        }
        facts = tuple(Fact(token, "market_resolved") for token in market.listed.tokens)
        return ClobFrame("market_resolved", (), msgspec.json.encode(told), facts, is_custom=True)

    def _now_ms(self) -> int:
        return self._clock() // NS_PER_MS


def _in_gamma(row: Row) -> InGamma:
    return msgspec.json.decode(row.raw, type=InGamma)


def _listed(row: Row) -> Listed:
    told = _in_gamma(row)
    first, second = _tokens(told)
    tick_mills = round(told.order_price_min_tick_size * MILLS)
    return Listed(told.condition_id, (first, second), told.neg_risk, tick_mills, round(told.best_ask * MILLS))


def _tokens(told: InGamma) -> list[str]:
    return list(told.position_ids) or msgspec.json.decode(told.clob_token_ids, type=list[str])


def _head(kind: str, row: Row, now_ms: int) -> dict[str, object]:
    told = _in_gamma(row)
    return {
        "event_type": kind,
        "id": row.market.id,
        "question": told.question,
        "market": told.condition_id,
        "slug": told.slug,
        "assets_ids": _tokens(told),
        "outcomes": msgspec.json.decode(told.outcomes),
        "timestamp": str(now_ms),
    }


def _announcement(row: Row, now_ms: int) -> ClobFrame:
    told = _head("new_market", row, now_ms)
    return ClobFrame("new_market", (), msgspec.json.encode(told), (Fact("", "new_market"),), is_custom=True)
