"""
Which trades stand in the streams already, as far back as one may come again.

Alpaca numbers nothing that could tell a hole or a repeat: ids are unique and not dense, times are not in order. So
every trade of the last moments is remembered by symbol, id and time, across connections and restarts, written in the
same transaction as the trades themselves. All trades later than `floor_ns` are in `known`, or were never stored: what
REST tells of that stretch is stored unless it is known.
"""

from collections.abc import Iterable, Sequence

import msgspec

from common.clock import NS_PER_S
from common.records import Trade

MARGIN_NS = 10 * NS_PER_S  # trades of several exchanges come out of order, and clocks differ
FLOOR_STEP_NS = NS_PER_S
MOST_KNOWN = 1_000
FEWER_KNOWN = 500


class Head(msgspec.Struct):
    """What survives beside the trades: until when the stream was heard, by the venue's clock, and of which symbols."""

    until_ns: int = 0
    newest_ns: int = 0  # the venue's time of the newest message
    floor_ns: int = 0
    is_recording: bool = False
    symbols: tuple[str, ...] = ()


_decode_head = msgspec.json.Decoder(Head).decode


class Heard:
    """What the socket and REST have told so far, from `text` on: what an earlier connection wrote."""

    def __init__(self, text: str) -> None:
        first, *keys = text.split("\n") if text else ["{}"]
        self.head = _decode_head(first)
        self.known = {key: int(key.rpartition(" ")[2]) for key in keys}
        self._kept: Sequence[tuple[int, int]] = ()

    def hear(self, trade: Trade) -> bool:
        """Remember a trade that the socket told; return whether it is a new one."""
        key, event_ns = known_as(trade), trade.event_ns
        if key in self.known:
            return False
        if event_ns > self.head.floor_ns or _is_within(event_ns, self._kept):
            self.known[key] = event_ns
        return True

    def fetch(self, trade: Trade, later: Sequence[tuple[int, int]]) -> bool:
        """
        Remember a trade that REST told, if it may be told once more; return whether it is a new one.

        REST may tell it again in one of the stretches that it is asked for `later`: they overlap where connections
        were short.
        """
        key, event_ns = known_as(trade), trade.event_ns
        if key in self.known:
            return False
        if event_ns > self.head.floor_ns or _is_within(event_ns, later):
            self.known[key] = event_ns
        return True

    def keep(self, spans: Iterable[tuple[int, int]]) -> None:
        """Forget no trade within these stretches: they are being asked for again."""
        self._kept = tuple(spans)

    def go_on(self, until_ns: int) -> None:
        """Say until when the stream was heard; forget what is too old to come again."""
        self.head.until_ns = until_ns
        self._raise_floor(until_ns - MARGIN_NS)
        loose = [at_ns for at_ns in self.known.values() if at_ns > self.head.floor_ns]
        if len(loose) > MOST_KNOWN:
            self._set_floor(sorted(loose)[-FEWER_KNOWN])

    def text(self) -> str:
        """Return it all, one trade a line."""
        return "\n".join((msgspec.json.encode(self.head).decode(), *self.known))

    def _raise_floor(self, floor_ns: int) -> None:
        if floor_ns < self.head.floor_ns + FLOOR_STEP_NS:  # it costs a look at every trade
            return
        self._set_floor(floor_ns)

    def _set_floor(self, floor_ns: int) -> None:
        self.head.floor_ns = floor_ns
        kept = self._kept
        self.known = {key: at_ns for key, at_ns in self.known.items() if at_ns > floor_ns or _is_within(at_ns, kept)}


def _is_within(time_ns: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(from_ns <= time_ns <= to_ns for from_ns, to_ns in spans)


def known_as(trade: Trade) -> str:
    """Return what tells a trade from all others, by the stream and by REST alike."""
    return f"{trade.symbol} {trade.trade_id} {trade.event_ns}"
