"""
The names of all fields in the messages of Binance spot that we read, also of those that we do not use.

https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain

import msgspec

from common.records import FeedEvent
from ingesters.feed import Frame, Step
from ingesters.venues.binance_wire import VENUE
from ingesters.venues.novelty import Novelty, fields_of

OK = 200

Read = Callable[[bytes, int], Iterable[Step]]

_NAMES = {
    "combined": "stream data",
    "trade": "e E s t p q b a T m M",  # the order ids b and a until 2023
    "aggTrade": "e E s a p q f l T m M",
    "bookTicker": "u s b B a A",
    "depthUpdate": "e E s U u b a",
    "depth": "lastUpdateId bids asks",
    "kline": "e E s k k.t k.T k.s k.i k.f k.L k.o k.c k.h k.l k.v k.n k.x k.q k.V k.Q k.B",
    "24hrTicker": "e E s p P w x c Q b B a A o h l v q O C F L n",
    "24hrMiniTicker": "e E s c o h l v q",
}
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode

KNOWN = {kind: frozenset(names.split()) for kind, names in _NAMES.items()}


class Watch:
    """
    Looks for fields that we do not know.

    The messages that come by the thousand are looked at one of each kind at a time, and reading the others costs
    nothing more: `readers` holds readers that also look, each gives way to the bare one, and `look_again` brings
    them back. `kinds` tells which kind of message a stream's name stands for.
    """

    def __init__(self, kinds: Mapping[bytes, str], readers: Mapping[str, Read]) -> None:
        self._novelty = Novelty(VENUE, KNOWN)
        self._looking = {
            name: partial(self._read_and_look, name, kind=kind, read=readers[kind]) for name, kind in kinds.items()
        }
        self.readers: dict[bytes, Read] = {}
        self.look_again()

    def look_again(self) -> None:
        """Let the next message of each kind be looked at."""
        self.readers.update(self._looking)

    def look(self, kind: str, payload: bytes, received_ns: int) -> Iterator[FeedEvent]:
        """Yield what is new in a frame of a combined stream; of several messages in it the first stands for all."""
        envelope = fields_of(payload)
        yield from self._novelty.notice("combined", envelope.keys(), payload, received_ns)
        message = fields_of(_first(envelope["data"]))
        inner = {f"k.{name}" for name in fields_of(message["k"])} if kind == "kline" else set()
        yield from self._novelty.notice(kind, message.keys() | inner, payload, received_ns)

    def look_at_snapshot(self, frame: Frame) -> Iterator[FeedEvent]:
        """Yield what is new in the answer to a question for a book."""
        if frame.status == OK:
            yield from self._novelty.notice("depth", fields_of(frame.payload).keys(), frame.payload, frame.received_ns)

    def _read_and_look(self, name: bytes, payload: bytes, received_ns: int, *, kind: str, read: Read) -> Iterable[Step]:
        steps = read(payload, received_ns)
        self.readers[name] = read
        return chain(steps, self.look(kind, payload, received_ns))


def _first(data: msgspec.Raw) -> msgspec.Raw:
    """Return a message, or the first of several."""
    return _decode_list(data)[0] if bytes(data).startswith(b"[") else data
