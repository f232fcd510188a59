"""What the tests of Polymarket's books share: a small venue that may lose, repeat and swap messages, and its reader."""

import hashlib
import json
import random

from common.records import BookUpdate, FeedEvent, Record
from common.settings import Settings
from ingesters.feed import Fetch, Frame, Resume, Send, hear
from ingesters.venues.polymarket_clob import PolymarketClobFeed

YES, NO = "5" * 77, "6" * 77
MARKET = "0x" + "8e" * 32
START_MS = 1_760_000_000_000
MS, SECOND = 10**6, 10**9


def compact(told):
    return json.dumps(told, separators=(",", ":")).encode()


def rows(levels):
    return [{"price": price, "size": size} for price, size in levels]


def hashed(told):
    return told | {"hash": hashlib.sha1(compact(told)).hexdigest()}


def book(token=YES, at_ms=START_MS, bids=(("0.48", "30"),), asks=(("0.52", "25"),)):
    told = {"market": MARKET, "asset_id": token, "timestamp": str(at_ms), "hash": ""}
    return hashed(told | {"bids": rows(bids), "asks": rows(asks)}) | {"event_type": "book"}


def rest_book(token=YES, at_ms=START_MS, bids=(("0.48", "30"),), asks=(("0.52", "25"),)):
    told = {"market": MARKET, "asset_id": token, "timestamp": str(at_ms), "hash": ""}
    more = {"min_order_size": "5", "tick_size": "0.01", "neg_risk": False, "last_trade_price": "0.500"}
    return hashed(told | {"bids": rows(bids), "asks": rows(asks)} | more)


def change(price, size, side, *, at_ms, token=YES, best=("0.48", "0.52")):
    level = {"asset_id": token, "price": price, "size": size, "side": side, "hash": ""}
    level |= {"best_bid": best[0], "best_ask": best[1]}
    return {"market": MARKET, "price_changes": [level], "timestamp": str(at_ms), "event_type": "price_change"}


class Talk:
    """A feed with a clock of its own; every step that it takes is kept."""

    def __init__(self, markets=(YES,), resume=None, answer=None):
        self.feed = PolymarketClobFeed(Settings(polymarket_markets=markets), resume or Resume())
        self.now_ns = START_MS * MS
        self.steps = []
        self.answer = answer or (lambda _tokens: [])
        self.take(self.feed.opening())
        self.tick()

    def take(self, steps):
        steps = list(steps)
        self.steps += steps
        return steps

    def hear(self, message, wire="ws0", **more):
        payload = message if isinstance(message, bytes) else compact(message)
        return self.take(hear(self.feed, Frame(self.now_ns, payload, wire, **more)))

    def tick(self):
        """Let the feed's clock strike, and its questions for books be answered."""
        for step in self.hear(b"", reply_to="tick"):
            if isinstance(step, Fetch) and step.key.startswith("books:"):
                self.reply(step)

    def reply(self, fetch):
        tokens = [one["token_id"] for one in json.loads(fetch.body)]
        return self.hear(self.answer(tokens), reply_to=fetch.key)

    def pass_time(self, seconds):
        for _ in range(int(seconds * 2)):
            self.now_ns += SECOND // 2
            self.tick()

    def of(self, kind):
        return [step for step in self.steps if isinstance(step, kind)]

    def told(self, *kinds):
        return [step for step in self.of(FeedEvent) if step.kind in kinds]

    def sent(self):
        return [json.loads(step.payload) for step in self.of(Send)]

    def records(self):
        return self.of(Record)


class Rebuilt:
    """The plainest reader of the records: what somebody who has only the tables makes of them."""

    def __init__(self):
        self.sides = ({}, {})

    def read(self, update):
        if update.kind == "snapshot":
            self.sides = ({}, {})
        pairs = ((update.bid_prices, update.bid_sizes), (update.ask_prices, update.ask_sizes))
        for side, (prices, sizes) in zip(self.sides, pairs, strict=True):
            for price, size in zip(prices, sizes, strict=True):
                side[float(price)] = float(size)
                if not float(size):
                    del side[float(price)]

    @classmethod
    def of(cls, records, token=YES):
        book = cls()
        for record in records:
            if isinstance(record, BookUpdate) and record.symbol == token:
                book.read(record)
        return book.sides


class SmallVenue:
    """One token's true book, in cents; it trades and quotes, and answers for its book at any moment."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.at_ms = START_MS
        self.sides = (dict.fromkeys(range(40, 50), 10), dict.fromkeys(range(51, 61), 10))

    def levels(self):
        bids, asks = self.sides
        texts = [[(f"{c / 100:g}", f"{side[c]:g}") for c in sorted(side)] for side in (bids, asks)]
        return {"bids": texts[0], "asks": texts[1][::-1]}

    def truth(self):
        return tuple({cents / 100: float(size) for cents, size in side.items()} for side in self.sides)

    def whole(self):
        return book(at_ms=self.at_ms, **self.levels())

    def rest(self, tokens):
        return [rest_book(at_ms=self.at_ms, **self.levels()) for token in tokens if token == YES]

    def act(self):
        """Let one thing happen; return what is told of it."""
        self.at_ms += self.chance.choice((0, 0, 1, 3, 40, 700))
        return self._trade() if self.chance.random() < 0.2 else [self._quote()]

    def _trade(self):
        index = self.chance.randrange(2)
        side = self.sides[index]
        for _ in range(self.chance.randrange(1, 4)):
            if len(side) > 2:
                del side[max(side) if index == 0 else min(side)]
        return [self.whole()]

    def _quote(self):
        index = self.chance.randrange(2)
        bids, asks = self.sides
        cents = self.chance.randrange(30, min(asks)) if index == 0 else self.chance.randrange(max(bids) + 1, 70)
        size = self.chance.choice((0, 5, 7.5, 10)) if len(self.sides[index]) > 2 else 5
        self.sides[index][cents] = size
        if not size:
            del self.sides[index][cents]
        best = f"{max(bids) / 100:g}", f"{min(asks) / 100:g}"
        side = ("BUY", "SELL")[index]
        return change(f"{cents / 100:g}", f"{size:g}", side, at_ms=self.at_ms, best=best)
