"""
The names of all fields in the messages of OKX that we read, also of those that we do not use.

https://www.okx.com/docs-v5/en/#order-book-trading-market-data
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain

import msgspec

from common.records import FeedEvent
from ingesters.feed import Frame, Step
from ingesters.venues.novelty import Novelty, fields_of
from ingesters.venues.okx_wire import CANDLE, VENUE, BookRow

Read = Callable[[Frame], Iterable[Step]]

ALWAYS = 100  # book messages in a row
EXAMPLE_BYTES = 500  # of the end of a message, where the numbers stand
_BOOK = "asks bids ts checksum prevSeqId seqId instId"
_TRADE = "instId tradeId px sz side ts count source seqId"
_NAMES = {
    "push": "arg action data",
    "trades": _TRADE,
    "trades-all": _TRADE,
    "history-trades": _TRADE,
    **dict.fromkeys(("books", "books-l2-tbt", "books50-l2-tbt", "books5", "bbo-tbt", "books-full"), _BOOK),
    "tickers": "instType instId last lastSz askPx askSz bidPx bidSz open24h high24h low24h sodUtc0 sodUtc8 volCcy24h "
    "vol24h ts",
    # They have places instead of names.
    "candles": " ".join(f"column{place}" for place in range(CANDLE)),
}
_NAMES["ticker"] = _NAMES["tickers"]
_decode_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode

KNOWN = {kind: frozenset(names.split()) for kind, names in _NAMES.items()}


class Checksums:
    """Notices that the venue computes no checksum any more: one that is always 0 finds no wrong book."""

    def __init__(self) -> None:
        self._zeros = 0  # in a row

    def notice(self, row: BookRow, frame: Frame, channel: str) -> FeedEvent | None:
        """Return the news once, with the row that settled it: the hot path."""
        if row.checksum is None:
            return None
        self._zeros = 0 if row.checksum else self._zeros + 1
        return _always_zero(frame, channel) if self._zeros == ALWAYS else None


def _always_zero(frame: Frame, channel: str) -> FeedEvent:
    return FeedEvent(
        venue=VENUE,
        symbol="",
        received_ns=frame.received_ns,
        channel=channel,
        kind="schema_change",
        from_ns=frame.received_ns,
        to_ns=frame.received_ns,
        expected="a checksum",
        found="0",
        detail=f"{ALWAYS} in a row were 0, books are judged by their numbers alone: "
        + frame.payload[-EXAMPLE_BYTES:].decode(errors="replace"),
    )


class Watch:
    """
    Looks for fields that we do not know, in one message of each channel at a time.

    `readers` holds readers that also look; each gives way to the bare one, and `look_again` brings them back, so that
    reading the other messages costs nothing more.
    """

    def __init__(self, readers: Mapping[bytes, Read]) -> None:
        self._novelty = Novelty(VENUE, KNOWN)
        self._looking = {name: partial(self._read_and_look, name, read) for name, read in readers.items()}
        self.readers: dict[bytes, Read] = {}
        self.look_again()

    def look_again(self) -> None:
        """Let the next message of each channel be looked at."""
        self.readers.update(self._looking)

    def look_at_answer(self, kind: str, payload: bytes, received_ns: int) -> Iterator[FeedEvent]:
        """Yield what is new in an answer by HTTP; its first row stands for all."""
        yield from self._look(kind, payload, received_ns)

    def _read_and_look(self, name: bytes, read: Read, frame: Frame) -> Iterable[Step]:
        steps = read(frame)
        self.readers[name] = read
        return chain(steps, self._look_at_push(name.decode(), frame))

    def _look_at_push(self, channel: str, frame: Frame) -> Iterator[FeedEvent]:
        names = fields_of(frame.payload).keys()
        yield from self._novelty.notice("push", names, frame.payload, frame.received_ns)
        kind = "candles" if channel.startswith("candle") else channel
        yield from self._look(kind, frame.payload, frame.received_ns)

    def _look(self, kind: str, payload: bytes, received_ns: int) -> Iterator[FeedEvent]:
        rows = _decode_rows(fields_of(payload)["data"])
        if rows:
            yield from self._novelty.notice(kind, _names(rows[0]), payload, received_ns)


def _names(row: msgspec.Raw) -> frozenset[str]:
    if bytes(row).startswith(b"["):
        return frozenset(f"column{place}" for place in range(len(_decode_rows(row))))
    return frozenset(fields_of(row))
