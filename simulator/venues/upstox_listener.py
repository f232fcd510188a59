"""One connection to the simulated Upstox: what it subscribed to. Nothing is ever answered."""

import asyncio
from collections.abc import Sequence

import msgspec
from websockets.frames import Opcode

from simulator.connection import Outgoing
from simulator.venues.upstox_wire import keys_of
from simulator.wire import Wire

MOST_KEYS = {"ltpc": 5000, "full": 2000, "option_greeks": 3000}  # full_d30 is for those who pay for it


class Asked(msgspec.Struct):
    """What a request is about."""

    keys: list[str] = msgspec.field(default_factory=list, name="instrumentKeys")
    mode: str | None = None


class Request(msgspec.Struct):
    """A request of a client."""

    method: str
    data: Asked
    guid: str = ""


_request = msgspec.json.Decoder(Request).decode


class Listener:
    """One connection and the mode of each key that it subscribed to."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.modes: dict[str, str] = {}
        self.batches: list[tuple[str, ...]] = []
        self.changed = asyncio.Event()

    def obey(self, request: str | bytes) -> None:
        """Carry out a request; a text frame, nonsense, and what is not allowed are ignored without a word."""
        if isinstance(request, str):
            return
        try:
            asked = _request(request)
        except msgspec.DecodeError:
            return
        match asked.method:
            case "sub":
                self._subscribe(asked.data.keys, asked.data.mode or "ltpc")
            case "change_mode":
                self._subscribe([key for key in asked.data.keys if key in self.modes], asked.data.mode or "")
            case "unsub":
                for key in asked.data.keys:
                    self.modes.pop(key, None)
            case _:
                return
        self.changed.set()

    def _subscribe(self, keys: Sequence[str], mode: str) -> None:
        wanted = self.modes | dict.fromkeys(keys, mode)
        if mode in MOST_KEYS and sum(held == mode for held in wanted.values()) <= MOST_KEYS[mode]:
            self.modes = wanted
            self.batches.append(tuple(keys))


def outgoing(frame: bytes) -> Outgoing:
    """Return a frame to be sent; its subject is the instruments in it, which are also what the ledger counts."""
    keys = keys_of(frame)
    return Outgoing(",".join(keys), frame, keys, Opcode.BINARY)
