"""One invented market on the CLOB: a book of two mirrored tokens, and the messages that tell of it."""

import random
from collections.abc import Iterable

import msgspec

from simulator.demo.clob_text import hashed, price_text, size_text
from simulator.ledger import Fact, scaled
from simulator.venues.clob_listener import ClobFrame

MILLS = 1000
FIRST_LEVELS = 25
FEWEST_LEVELS = 5
TRADED, AWAY = 0.12, 6
CANCELLED = 0.4
FINE_BELOW, FINE_ABOVE = 40, 960
Level = tuple[int, int]  # price in thousandths, size in hundredths


class Listed(msgspec.Struct):
    """What the market is, as Gamma lists it."""

    condition_id: str
    tokens: tuple[str, str]
    neg_risk: bool
    tick_mills: int
    price_mills: int


class InventedClobMarket:
    """
    A book in the prices of the first token; the second sees it in the mirror.

    As at the venue, what a trade consumes is told by the `book` after it and by no change.
    """

    def __init__(self, listed: Listed, chance: random.Random, now_ms: int) -> None:
        self.listed = listed
        self._chance = chance
        self._tick = listed.tick_mills
        self._last_mills = listed.price_mills
        self._changed_ms = now_ms
        fair = min(MILLS - 3 * self._tick, max(3 * self._tick, listed.price_mills))
        self._bids = {fair - n * self._tick: self._size() for n in range(1, FIRST_LEVELS) if fair > n * self._tick}
        self._asks = {fair + n * self._tick: self._size() for n in range(FIRST_LEVELS) if fair + n * self._tick < MILLS}

    def act(self, now_ms: int) -> list[ClobFrame]:
        """Let one thing happen, and tell of it."""
        self._changed_ms = now_ms
        before = self._best()
        frames = self._trade(now_ms) if self._chance.random() < TRADED else [self._quote(now_ms)]
        if self._best() != before:
            frames += [self._best_frame(index, now_ms) for index in (0, 1)]
        if self._tick > 1 and not FINE_BELOW <= self._last_mills <= FINE_ABOVE:
            frames += [self._finer(token, now_ms) for token in self.listed.tokens]
            self._tick = 1
        return frames

    def books(self, tokens: Iterable[str]) -> list[bytes]:
        """Return the books of those of its tokens that are named, as the socket tells them."""
        return [self._socket_book(index) for index, token in enumerate(self.listed.tokens) if token in tokens]

    def rest_book(self, token: str) -> bytes:
        """Return a token's book as REST answers it."""
        index = self.listed.tokens.index(token)
        last = self._last_mills if index == 0 else MILLS - self._last_mills
        more = {"min_order_size": "5", "tick_size": price_text(self._tick), "neg_risk": self.listed.neg_risk}
        return hashed(self._told(index) | more | {"last_trade_price": price_text(last)})

    def _trade(self, now_ms: int) -> list[ClobFrame]:
        buys = self._chance.random() < 0.5  # noqa: PLR2004  (an even coin)
        side = self._asks if buys else self._bids
        frames = self._refill(side, now_ms, is_bid=not buys)
        mills = min(side) if buys else max(side)
        taken = min(side[mills] - (len(side) == 1), max(1, round(self._size() / 2)))  # one lot of the last level stays
        side[mills] -= taken
        if not side[mills]:
            del side[mills]
        self._last_mills = mills
        frames.append(self._trade_frame(mills, taken, now_ms, buys=buys))
        for index, token in enumerate(self.listed.tokens):
            frames.append(ClobFrame("book", (token,), self._socket_book(index), (Fact(token, "book"),)))
        return frames

    def _trade_frame(self, mills: int, taken: int, now_ms: int, *, buys: bool) -> ClobFrame:
        token, price, size = self.listed.tokens[0], price_text(mills), size_text(taken)
        told = {
            "market": self.listed.condition_id,
            "asset_id": token,
            "price": price,
            "size": size,
            "fee_rate_bps": "0",
            "side": "BUY" if buys else "SELL",
            "timestamp": str(now_ms),
            "event_type": "last_trade_price",
            "transaction_hash": f"0x{self._chance.getrandbits(256):064x}",
        }
        fact = Fact(token, "last_trade_price", 0, 0, scaled(price), scaled(size), buys)
        return ClobFrame("last_trade_price", (token,), msgspec.json.encode(told), (fact,))

    def _quote(self, now_ms: int) -> ClobFrame:
        is_bid = self._chance.random() < 0.5  # noqa: PLR2004
        side = self._bids if is_bid else self._asks
        away = int(self._chance.expovariate(1) * AWAY) * self._tick
        mills = min(self._asks) - self._tick - away if is_bid else max(self._bids) + self._tick + away
        mills = min(MILLS - self._tick, max(self._tick, mills))
        is_cancelled = mills in side and len(side) > FEWEST_LEVELS and self._chance.random() < CANCELLED
        is_crossing = mills >= min(self._asks) if is_bid else mills <= max(self._bids)
        if is_cancelled or is_crossing:
            mills = self._chance.choice(list(side)) if is_crossing else mills
        size = 0 if is_cancelled else self._size()
        if size:
            side[mills] = size
        else:
            del side[mills]
        return self._change_frame(mills, size, now_ms, is_bid=is_bid)

    def _change_frame(self, mills: int, size: int, now_ms: int, *, is_bid: bool) -> ClobFrame:
        changes = [
            {
                "asset_id": token,
                "price": price_text(mills if index == 0 else MILLS - mills),
                "size": size_text(size),
                "side": "BUY" if is_bid == (index == 0) else "SELL",
                "hash": f"{self._chance.getrandbits(160):040x}",
                "best_bid": price_text(self._best_of(index)[0]),
                "best_ask": price_text(self._best_of(index)[1]),
            }
            for index, token in enumerate(self.listed.tokens)
        ]
        told = {"market": self.listed.condition_id, "price_changes": changes, "timestamp": str(now_ms)}
        payload = msgspec.json.encode(told | {"event_type": "price_change"})
        facts = tuple(Fact(token, "price_change") for token in self.listed.tokens)
        return ClobFrame("price_change", self.listed.tokens, payload, facts)

    def _refill(self, side: dict[int, int], now_ms: int, *, is_bid: bool) -> list[ClobFrame]:
        """Leave no side thin: somebody always quotes behind the last level, or more at it where none is behind."""
        if len(side) >= FEWEST_LEVELS:
            return []
        last = min(side) - self._tick if is_bid else max(side) + self._tick
        mills = last if 0 < last < MILLS else (min(side) if is_bid else max(side))
        side[mills] = side.get(mills, 0) + self._size() * 2
        return [self._change_frame(mills, side[mills], now_ms, is_bid=is_bid)]

    def _best(self) -> Level:
        return max(self._bids), min(self._asks)

    def _best_of(self, index: int) -> Level:
        bid, ask = self._best()
        return (bid, ask) if index == 0 else (MILLS - ask, MILLS - bid)

    def _best_frame(self, index: int, now_ms: int) -> ClobFrame:
        token, (bid, ask) = self.listed.tokens[index], self._best_of(index)
        told = {
            "event_type": "best_bid_ask",
            "market": self.listed.condition_id,
            "asset_id": token,
            "best_bid": price_text(bid),
            "best_ask": price_text(ask),
            "spread": price_text(ask - bid),
            "timestamp": str(now_ms),
        }
        payload = msgspec.json.encode(told)
        return ClobFrame("best_bid_ask", (token,), payload, (Fact(token, "best_bid_ask"),), is_custom=True)

    def _finer(self, token: str, now_ms: int) -> ClobFrame:
        told = {
            "event_type": "tick_size_change",
            "market": self.listed.condition_id,
            "asset_id": token,
            "old_tick_size": price_text(self._tick),
            "new_tick_size": price_text(1),
            "timestamp": str(now_ms),
        }
        return ClobFrame("tick_size_change", (token,), msgspec.json.encode(told), (Fact(token, "tick_size_change"),))

    def _told(self, index: int) -> dict[str, object]:
        bids, asks = self._bids, self._asks
        if index:
            bids, asks = ({MILLS - mills: size for mills, size in side.items()} for side in (asks, bids))
        return {
            "market": self.listed.condition_id,
            "asset_id": self.listed.tokens[index],
            "timestamp": str(self._changed_ms),
            "hash": "",
            "bids": [{"price": price_text(mills), "size": size_text(bids[mills])} for mills in sorted(bids)],
            "asks": [
                {"price": price_text(mills), "size": size_text(asks[mills])} for mills in sorted(asks, reverse=True)
            ],
        }

    def _socket_book(self, index: int) -> bytes:
        return hashed(self._told(index))[:-1] + b',"event_type":"book"}'

    def _size(self) -> int:
        return max(500, round(self._chance.lognormvariate(9, 1.3)))
