"""
Requests on the sockets of OKX: how many an hour, and what is done about one that was too many.

The venue refuses such a request whole, with 60014, and keeps the socket. It says no pause, so ours grow; what comes
meanwhile waits as well, and all of it goes in one request to unsubscribe and one to subscribe.
https://www.okx.com/docs-v5/en/ (WebSocket, connect)
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Literal, NamedTuple

import msgspec

from common.clock import NS_PER_S
from common.records import FeedEvent
from ingesters.feed import Send, Step, Wake
from ingesters.venues.okx_wire import VENUE

AGAIN = "again:"
ARGUMENTS_A_REQUEST = 500  # 25 kB of the 64 kB that one may have
HOUR_NS = 3600 * NS_PER_S
MOST_RENEWING = 400  # of the 480 requests a connection and hour; the rest is for changes of symbols
FIRST_PAUSE_S, LONGEST_PAUSE_S = 10.0, 600.0

Operation = Literal["unsubscribe", "subscribe"]
OPERATIONS: tuple[Operation, ...] = ("unsubscribe", "subscribe")  # in the order that begins a channel anew
Arg = tuple[str, str]  # channel, instrument


class Request(NamedTuple):
    """A request that the venue has not answered yet."""

    wire: str
    operation: Operation
    args: tuple[Arg, ...]


@dataclass
class Line:
    """One socket: when it was asked; what waits while it pauses, since when, and after how many tries."""

    sent_ns: deque[int] = field(default_factory=deque)
    waiting: dict[Arg, tuple[Operation, ...]] = field(default_factory=dict)
    refused_ns: int | None = None
    attempt: int = 0
    is_pausing: bool = False

    def wait(self, operation: Operation, args: Iterable[Arg]) -> None:
        """Keep arguments for later: whatever waited, an unsubscription ends it, and a subscription comes last."""
        for arg in args:
            before = self.waiting.get(arg, ()) if operation == "subscribe" else ()
            self.waiting[arg] = tuple(dict.fromkeys((*before, operation)))


class Requests:
    """All requests of one connection, numbered, so that a refusal can be told which it is about."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._unanswered: dict[str, Request] = {}
        self._lines: defaultdict[str, Line] = defaultdict(Line)

    def send(self, operation: Operation, channels: Iterable[str], symbols: Iterable[str], wire: str) -> Iterator[Send]:
        """Subscribe or unsubscribe all of these channels for all of these symbols, now or after the pause."""
        named = tuple(channels)
        args = [(channel, symbol) for symbol in symbols for channel in named]
        line = self._lines[wire]
        if line.is_pausing:
            line.wait(operation, args)
            return
        for start in range(0, len(args), ARGUMENTS_A_REQUEST):
            yield self._send(Request(wire, operation, tuple(args[start : start + ARGUMENTS_A_REQUEST])))

    def renew(self, channels: Iterable[str], symbols: Iterable[str], wire: str) -> Iterator[Send]:
        """Begin channels anew; ask before whether there `is_room`."""
        for operation in OPERATIONS:
            yield from self.send(operation, channels, symbols, wire)

    def is_room(self, wire: str, now_ns: int) -> bool:
        """Count two requests more on a socket, if there is room for them."""
        line = self._lines[wire]
        while line.sent_ns and line.sent_ns[0] <= now_ns - HOUR_NS:
            line.sent_ns.popleft()
        if line.is_pausing or len(line.sent_ns) >= MOST_RENEWING:
            return False
        line.sent_ns.extend((now_ns, now_ns))
        return True

    def answered(self, number: str, now_ns: int) -> Iterator[FeedEvent]:
        """Take note that a request was carried out; tell when that ends what had been refused."""
        if (request := self._unanswered.pop(number, None)) is None:
            return
        line = self._lines[request.wire]
        if request.operation == "unsubscribe":  # sent behind what waits: answers come in the order of the requests
            for arg in request.args:
                line.waiting.pop(arg, None)
        is_over = not line.is_pausing and all(one.wire != request.wire for one in self._unanswered.values())
        if is_over and line.refused_ns is not None:
            yield _over(line.refused_ns, now_ns, request.wire)
            line.refused_ns, line.attempt = None, 0

    def refused(self, number: str, wire: str, now_ns: int) -> Iterator[Wake]:
        """Keep a request that was one too many, and begin the pause; without a number it is the oldest one."""
        oldest = next((key for key, one in self._unanswered.items() if one.wire == wire), "")
        if (request := self._unanswered.pop(number or oldest, None)) is None:
            return  # of two sockets that are asked the same, the other one has said so before
        line = self._lines[wire]
        line.wait(request.operation, request.args)
        if line.is_pausing:
            return
        line.is_pausing, line.refused_ns = True, now_ns if line.refused_ns is None else line.refused_ns
        yield Wake(f"{AGAIN}{wire}", min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(line.attempt, 8)))
        line.attempt += 1

    def again(self, wire: str, now_ns: int) -> Iterator[Step]:
        """Send what waits, and nothing else."""
        line = self._lines[wire]
        line.is_pausing, waiting, line.waiting = False, line.waiting, {}
        for operation in OPERATIONS:
            args = tuple(arg for arg, wanted in waiting.items() if operation in wanted)
            for start in range(0, len(args), ARGUMENTS_A_REQUEST):
                line.sent_ns.append(now_ns)
                yield self._send(Request(wire, operation, args[start : start + ARGUMENTS_A_REQUEST]))

    def _send(self, request: Request) -> Send:
        number = str(next(self._numbers))
        self._unanswered[number] = request
        args = [{"channel": channel, "instId": symbol} for channel, symbol in request.args]
        return Send(msgspec.json.encode({"op": request.operation, "args": args, "id": number}), request.wire)


def _over(from_ns: int, now_ns: int, wire: str) -> FeedEvent:
    return FeedEvent(
        VENUE,
        "",
        now_ns,
        channel="subscription",
        kind="resync",
        from_ns=from_ns,
        to_ns=now_ns,
        detail=f"the requests that were refused on the {wire} socket have been carried out",
    )
