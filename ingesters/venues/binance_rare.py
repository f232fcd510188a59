"""What Binance spot says now and then: tops of books, answers to commands, farewells, and what we do not know."""

import re
from collections.abc import Iterator, Mapping

import msgspec

from common.codec import Origin, dead_letter
from common.errors import WireLost
from common.records import FeedEvent
from ingesters.feed import Frame, Step
from ingesters.venues import binance_wire as wire
from ingesters.venues.binance_depth import top_of
from ingesters.venues.binance_fields import Read, Watch
from ingesters.venues.binance_tickers import tickers

PARTIAL_DEPTH = re.compile(r"([^@]+)@depth(5|10|20)(?:@100ms)?")
EXAMPLE_CHARACTERS = 500


class Rare:
    """
    The way for all frames that are not read at sight.

    An unknown type is told once as `schema_change`, for a person to look at, and kept whole as a dead letter each time.
    """

    def __init__(self, readers: Mapping[str, Read], watch: Watch) -> None:
        self._readers = {"24hrTicker": tickers, "24hrMiniTicker": tickers, **readers}
        self._watch = watch
        self._told: set[str] = set()
        self.heard: dict[tuple[str, str], int] = {}  # when each kind of message came last of each symbol

    def hear(self, frame: Frame) -> Iterator[Step]:
        """
        Yield what a frame means.

        Raises:
            WireLost: the venue is about to close the connection.
        """
        message = wire.UNSURE.decode(frame.payload)
        if message.stream == "!serverShutdown" or message.e == "serverShutdown":
            raise WireLost(wire.VENUE, reason="the venue announced that it shuts this server down")
        if message.data is not msgspec.UNSET:
            yield from self._enveloped(frame, message.stream, message.data)
        elif message.error is not None or message.code is not None:
            refusal = message.error or wire.Refusal(code=message.code or 0, msg=message.msg)
            yield refused(frame, refusal, channel="subscription")
        elif message.result is msgspec.UNSET:
            yield from self._unknown(frame, message.e, symbol="")

    def _enveloped(self, frame: Frame, stream: str, data: msgspec.Raw) -> Iterator[Step]:
        inner = wire.INNER.decode(data)
        first = inner[0] if isinstance(inner, list) and inner else inner
        if isinstance(first, list):
            return
        kind = first.e or ("bookTicker" if stream.endswith("bookTicker") else "")
        read = self._readers.get(kind)
        if read is not None:
            self.heard[kind, first.s] = frame.received_ns
            yield from read(frame.payload, frame.received_ns)
            yield from self._watch.look(kind, frame.payload, frame.received_ns)
        elif partial := PARTIAL_DEPTH.fullmatch(stream):
            symbol, depth = partial.groups()
            yield top_of(frame.payload, symbol.upper(), frame.received_ns, depth=int(depth))
        else:
            yield from self._unknown(frame, first.e or stream.partition("@")[2], symbol=first.s)

    def _unknown(self, frame: Frame, name: str, *, symbol: str) -> Iterator[Step]:
        if name not in self._told:
            self._told.add(name)
            yield FeedEvent(
                venue=wire.VENUE,
                symbol=symbol,
                received_ns=frame.received_ns,
                channel=name,
                kind="schema_change",
                from_ns=frame.received_ns,
                to_ns=frame.received_ns,
                found=name,
                detail=frame.payload.decode()[:EXAMPLE_CHARACTERS],
            )
        origin = Origin("binance_ingester", "", str(frame.received_ns), frame.received_ns, wire.VENUE, symbol)
        yield dead_letter(frame.payload, origin, reason=f"unknown message type {name!r}")


def refused(frame: Frame, refusal: wire.Refusal, *, channel: str, symbol: str = "") -> FeedEvent:
    """Return that the venue said no to one thing, while the rest goes on."""
    return FeedEvent(
        venue=wire.VENUE,
        symbol=symbol,
        received_ns=frame.received_ns,
        channel=channel,
        kind="refused",
        from_ns=frame.received_ns,
        to_ns=frame.received_ns,
        found=str(refusal.code),
        detail=refusal.msg,
    )
