"""What the tests of OKX share: its messages, and a feed that is spoken to."""

import json

from common.records import FeedEvent, Record
from common.settings import Settings
from ingesters.feed import Frame, Resume, Step, hear
from ingesters.venues.okx import OkxFeed

SYMBOL = "BTC-USDT"
START_NS = 1_786_538_760_000_000_000
MS_NS, SECOND_NS = 10**6, 10**9


def push(channel, *rows, symbol=SYMBOL, action=None):
    told = {"arg": {"channel": channel, "instId": symbol}} | ({"action": action} if action else {})
    return json.dumps({**told, "data": list(rows)}, separators=(",", ":")).encode()


def trade(number, now_ns=START_NS, *, count=None, symbol=SYMBOL):
    row = {"instId": symbol, "tradeId": str(number), "px": "9", "sz": "1", "side": "buy", "ts": str(now_ns // MS_NS)}
    counted = {} if count is None else {"count": str(count)}
    return push("trades-all" if count is None else "trades", row | counted | {"source": "0"}, symbol=symbol)


def history(*numbers, now_ns=START_NS):
    told = {"instId": SYMBOL, "px": "9", "sz": "1", "side": "sell", "ts": str(now_ns // MS_NS)}
    return answer(*({**told, "tradeId": str(number)} for number in numbers))


def answer(*rows, code="0", msg=""):
    return json.dumps({"code": code, "msg": msg, "data": list(rows)}).encode()


def levels(book):
    return [[price, size, "0", "1"] for price, size in book]


def book(ids, *, bids=(), asks=(), now_ns=START_NS, symbol=SYMBOL, checksum=0):
    """Return a snapshot (prevSeqId -1) or an update of `books`."""
    row = {"asks": levels(asks), "bids": levels(bids), "ts": str(now_ns // MS_NS), "checksum": checksum}
    action = "snapshot" if ids[0] == -1 else "update"
    return push("books", row | {"prevSeqId": ids[0], "seqId": ids[1]}, symbol=symbol, action=action)


class Talk:
    """A feed, and all that it has said."""

    def __init__(self, resume: Resume = Resume(), **settings: object) -> None:  # noqa: B008  frozen
        self.feed = OkxFeed(Settings(**({"okx_symbols": (SYMBOL,), "okx_mute_s": 1e9} | settings)), resume)
        self.opening = list(self.feed.opening())
        self.said: list[Step] = []
        self.now_ns = START_NS

    def hear(
        self, payload: bytes, *, reply_to: str | None = None, wire: str = "public", status: int = 200
    ) -> list[Step]:
        """Return what a message, or an answer, makes the feed say."""
        steps = list(hear(self.feed, Frame(self.now_ns, payload, wire, reply_to, status)))
        self.said += steps
        return steps

    def after(self, seconds: float) -> "Talk":
        """Let time pass."""
        self.now_ns += int(seconds * SECOND_NS)
        return self

    def records(self, kind: type[Record]) -> list:
        return [step for step in self.said if isinstance(step, kind)]

    def events(self, *kinds: str) -> list[FeedEvent]:
        return [event for event in self.records(FeedEvent) if not kinds or event.kind in kinds]


def choose(talk: Talk, *symbols: str) -> list[Step]:
    """Return what a feed says when an operator has chosen these symbols."""
    return talk.hear("\n".join(symbols).encode(), reply_to="symbols:okx_ingester")
