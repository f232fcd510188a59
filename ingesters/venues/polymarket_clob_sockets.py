"""Which token is listened to on which socket: two hundred a socket, changed while it lives, and which never speak."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from common.clock import NS_PER_S
from common.records import FeedEvent
from ingesters.feed import Dial, KeepAlive, Send, Step
from ingesters.venues.polymarket_clob_records import event

TOKENS_A_WIRE = 200  # above 500 the venue sends no snapshots any more, without a word
KEEP_ALIVE = KeepAlive(b"PING", every_s=10.0)  # it counts no WebSocket pings
FIRST_WORD_S = 30.0
MOST_REPEATS = 3
CHANNEL = "socket"


@dataclass
class Line:
    """One token on its socket."""

    wire: str
    subscribed_ns: int
    repeats: int = 0
    is_told: bool = False
    missed_ns: int = 0  # when its book was last found to have moved unheard


class Sockets:
    """The subscriptions of one connection."""

    def __init__(self, base_url: str) -> None:
        self._url = f"{base_url}/ws/market"
        self._wires: dict[str, set[str]] = {}
        self._silent: dict[str, Line] = {}  # tokens that were never heard of since they were subscribed to
        self.lines: dict[str, Line] = {}

    def add(self, tokens: Iterable[str], now_ns: int) -> Iterator[Step]:
        """Subscribe to tokens, on sockets that have room and on new ones."""
        new = [token for token in dict.fromkeys(tokens) if token not in self.lines]
        for wire in [*self._wires, *(f"ws{number}" for number in range(len(self._wires), len(self._wires) + len(new)))]:
            if not new:
                return
            room = TOKENS_A_WIRE - len(self._wires.get(wire, ()))
            part, new = new[:room], new[room:]
            if part:
                yield from self._subscribe(wire, part, now_ns)

    def remove(self, tokens: Iterable[str]) -> Iterator[Step]:
        """Listen to tokens no more."""
        by_wire: dict[str, list[str]] = {}
        for token in tokens:
            line = self.lines.pop(token, None)
            self._silent.pop(token, None)
            if line is not None:
                self._wires[line.wire].discard(token)
                by_wire.setdefault(line.wire, []).append(token)
        for wire, gone in by_wire.items():
            yield _send(wire, gone, operation="unsubscribe")

    def heard(self, token: str, received_ns: int) -> Iterator[FeedEvent]:
        """Hear that a token has spoken."""
        line = self._silent.pop(token, None)
        if line is not None and line.is_told:
            yield event(
                "resync", token, (line.subscribed_ns, received_ns), received_ns, channel=CHANNEL, what=("", "", "")
            )

    @property
    def silent(self) -> dict[str, Line]:
        """Return the tokens that have not spoken yet."""
        return self._silent

    def tick(self, now_ns: int) -> Iterator[Step]:
        """Subscribe once more to tokens that never spoke; the venue forgets some, and half of them come this way."""
        unheard: list[str] = []
        for token, line in self._silent.items():
            if now_ns - line.subscribed_ns < FIRST_WORD_S * NS_PER_S * (line.repeats + 1):
                continue
            line.repeats += 1
            if not line.is_told:
                line.is_told = True
                what = ("a book", "nothing", "the socket tells nothing of this token; subscribed to again")
                yield event("stale", token, (line.subscribed_ns, now_ns), now_ns, channel=CHANNEL, what=what)
            if line.repeats <= MOST_REPEATS:
                unheard.append(token)
        yield from self.renew(unheard)

    def renew(self, tokens: Iterable[str]) -> Iterator[Step]:
        """Subscribe once more to tokens."""
        by_wire: dict[str, list[str]] = {}
        for token in tokens:
            by_wire.setdefault(self.lines[token].wire, []).append(token)
        for wire, again in by_wire.items():
            yield _send(wire, again, operation="unsubscribe")
            yield _send(wire, again, operation="subscribe")

    def tokens_of(self, wire: str) -> set[str]:
        """Return all tokens of a socket."""
        return self._wires[wire]

    def _subscribe(self, wire: str, tokens: list[str], now_ns: int) -> Iterator[Step]:
        for token in tokens:
            self.lines[token] = self._silent[token] = Line(wire, now_ns)
        if wire in self._wires:
            self._wires[wire].update(tokens)
            yield _send(wire, tokens, operation="subscribe")
            return
        self._wires[wire] = set(tokens)
        yield Dial(self._url, wire=wire, keep_alive=KEEP_ALIVE)
        first = {"assets_ids": tokens, "type": "market", "custom_feature_enabled": True}
        yield Send(msgspec.json.encode(first), wire)


def _send(wire: str, tokens: list[str], *, operation: str) -> Send:
    command = {"assets_ids": tokens, "operation": operation, "custom_feature_enabled": True}
    return Send(msgspec.json.encode(command), wire)
