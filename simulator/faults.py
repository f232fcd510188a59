"""Faults on demand: what a test ordered, what is still in force, and what was carried out."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from common.clock import NS_PER_S, monotonic_s, now_ns

Clock = Callable[[], int]  # nanoseconds since 1970
Kind = Literal[
    # on a socket
    "refuse",  # the handshake is answered with `status`
    "gap",  # the frame is dropped
    "mute",  # every frame is dropped until the stream is subscribed to anew
    "duplicate",  # the frame is sent twice
    "reorder",  # the frame is sent after its successor
    "checksum",  # a book's checksum is wrong; OKX only
    "silence",  # the socket stays open and nothing is sent; `answers_pings` false makes it half open
    "shutdown",  # the venue says that it goes away, then closes
    # on a socket and over HTTP
    "disconnect",  # the connection breaks without a word; on a socket in the middle of a frame
    "close",  # a well-mannered close with `code`
    "clock_offset",  # the clock of a generated venue is `delay_s` ahead (below 0: behind)
    "garbage",  # something that is no JSON; on a socket in front of the frame
    "truncated",  # half a frame, half a body
    "slow",  # `delay_s` late
    # over HTTP
    "status",  # `status`, with `retry_after_s` if given
    "hang",  # no answer
    "token_life",  # the token given out dies in `delay_s`; Upstox only
    # Goldsky
    "graphql_errors",  # errors inside HTTP 200, no data
    "partial_data",  # errors beside some of the data
    "indexing_errors",  # _meta.hasIndexingErrors
    "frozen_head",  # _meta stops moving and nothing new is visible
    "reorg_remove",  # the newest `amount` events vanish
    "reorg_retime",  # the newest `amount` events move `delay_s` into the future
    "overwrite",  # the newest `amount` events are replaced by a second one of the same id
    "duplicate_event",  # a row is delivered twice in one page
    # Polygon, beside reorg_remove and reorg_retime: there the newest `amount` blocks lose their fills, or swap them
    "rpc_errors",  # errors of JSON-RPC inside HTTP 200; `body` is the message
    "range_limit",  # no more than `amount` blocks at once
    "lagging_node",  # the node that answers is `amount` blocks behind
]


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """
    One order.

    It strikes `times` times (null = always) where `match` is part of the stream or of the request's
    path and query, after having let `skip` such cases pass, for at most `for_s` seconds from now.
    States (silence, frozen_head, indexing_errors, clock_offset) hold until `for_s` is over or the
    order is cleared. Connections are numbered from 1 in the order of their handshakes.
    """

    kind: Kind
    venue: str
    channel: Literal["any", "socket", "http"] = "any"
    match: str = ""
    connection: int | None = None
    times: int | None = 1
    skip: int = 0
    for_s: float | None = None
    status: int = 503
    retry_after_s: int | None = None
    delay_s: float = 1.0
    code: int = 1001
    body: str = ""
    answers_pings: bool = True
    amount: int = 1
    number: int = 0
    until_s: float = float("inf")

    @property
    def is_over(self) -> bool:
        """Return whether it strikes no more."""
        return self.times == 0 or monotonic_s() >= self.until_s


class Executed(msgspec.Struct, frozen=True):
    """One strike, for the ledger."""

    at_ns: int
    number: int
    kind: str
    venue: str
    subject: str
    connection: int | None


class Faults:
    """The orders in force, oldest first."""

    def __init__(self) -> None:
        self.orders: list[Fault] = []
        self.executed: list[Executed] = []
        self._ordered = 0
        self._cleared: dict[int, asyncio.Event] = {}

    def order(self, fault: Fault) -> Fault:
        """Put a fault in force and return it with its number."""
        self._ordered += 1
        fault.number = self._ordered
        self._cleared[fault.number] = asyncio.Event()
        if fault.for_s is not None:
            fault.until_s = monotonic_s() + fault.for_s
        self.orders.append(fault)
        return fault

    def clear(self, number: int | None = None) -> None:
        """End one order, or all."""
        for fault in self.orders:
            if number in (None, fault.number):
                fault.times = 0
                self._cleared[fault.number].set()
        self._forget_those_over()

    def threatens(self, venue: str) -> bool:
        """Return whether any order concerns the venue: if not, nothing has to be looked at singly."""
        if self.orders:
            self._forget_those_over()
        return any(fault.venue == venue for fault in self.orders)

    def strike(self, venue: str, kinds: tuple[Kind, ...], subject: str, connection: int | None = None) -> Fault | None:
        """Return the first order that hits this case, counted as carried out; None if none does."""
        for fault in self._aimed_at(venue, kinds, subject, connection):
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
            self.note(fault, subject, connection)
            return fault
        return None

    def cure(self, venue: str, subject: str) -> None:
        """Let a stream that was subscribed to anew speak again."""
        for fault in self.orders:
            if fault.venue == venue and fault.kind == "mute" and fault.match in subject:
                self.clear(fault.number)

    def in_force(self, venue: str, kind: Kind, subject: str = "", connection: int | None = None) -> Fault | None:
        """Return the order under which a state holds at present, without counting it."""
        return next(self._aimed_at(venue, (kind,), subject, connection), None)

    def now_ns(self, venue: str) -> int:
        """Return the venue's time: ours, or as far from it as was ordered."""
        fault = self.in_force(venue, "clock_offset")
        return now_ns() + (round(fault.delay_s * NS_PER_S) if fault else 0)

    def note(self, fault: Fault, subject: str, connection: int | None = None) -> None:
        """Write down that an order was carried out."""
        self.executed.append(Executed(now_ns(), fault.number, fault.kind, fault.venue, subject, connection))

    async def wait_until_over(self, fault: Fault) -> None:
        """Return when an order is no longer in force."""
        left_s = fault.until_s - monotonic_s()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if math.isinf(left_s) else left_s):
                await self._cleared[fault.number].wait()

    def _aimed_at(self, venue: str, kinds: tuple[Kind, ...], subject: str, connection: int | None) -> Iterator[Fault]:
        channel = "http" if connection is None else "socket"
        for fault in self.orders:
            if fault.is_over or fault.venue != venue or fault.kind not in kinds or fault.match not in subject:
                continue
            if fault.connection in (None, connection) and fault.channel in ("any", channel):
                yield fault

    def _forget_those_over(self) -> None:
        self.orders = [fault for fault in self.orders if not fault.is_over]
