"""The contract between the server shell and one venue."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import msgspec
from starlette.routing import BaseRoute

from simulator.capture import Capture, Event
from simulator.demo.world import World
from simulator.faults import Clock, Faults
from simulator.ledger import Facts
from simulator.limits import Limits
from simulator.wire import Wire

# What reading raises where recorded bytes are not what the venue documents: that ends no replay.
UNREADABLE = (
    msgspec.MsgspecError,
    ArithmeticError,
    AttributeError,
    LookupError,
    StopIteration,
    TypeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True)
class Shell:
    """What every venue is given: the faults ordered, and the limits it keeps."""

    faults: Faults
    limits: Limits

    def clock(self, venue: str) -> Clock:
        """Return the clock of a venue, the only one it tells time by."""
        return partial(self.faults.now_ns, venue)


class Recorded(NamedTuple):
    """A recorded event with the address at which it was exchanged."""

    event: Event
    address: str
    is_socket: bool


@dataclass(frozen=True)
class Session:
    """What was recorded of one venue, in receive order, and how fast to replay it (inf = as fast as taken)."""

    events: list[Recorded]
    spans: list[tuple[int, int]]
    speed: float


class Addresses(NamedTuple):
    """Where one venue listens; `socket` is empty when it has no WebSocket."""

    http: str
    socket: str


class Venue(Protocol):
    """One venue while it is up."""

    def routes(self) -> list[BaseRoute]:
        """Return what it answers over HTTP."""
        ...

    async def talk(self, wire: Wire) -> None:
        """Hold one WebSocket conversation; returns when it is over."""
        ...

    async def live(self) -> None:
        """Do what goes on without clients; a replay returns at once."""
        ...

    def settings(self, at: Addresses) -> dict[str, str]:
        """Return the fleet's settings that lead to it."""
        ...

    def facts(self, ids: bool) -> Facts:  # noqa: FBT001  (a callback of the ledger, asked by position)
        """Return the figures for the ledger."""
        ...


@dataclass(frozen=True)
class Entry:
    """One line of the registry."""

    name: str
    recorded_as: str
    has_socket: bool
    enabled_setting: str
    claims: Callable[[Capture, Event], bool]
    demo: Callable[[World, Shell], Venue]
    replay: Callable[[Session, Shell], Venue]
