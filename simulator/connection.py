"""Frames and the counted connection: what the WebSocket library is asked to do differently."""

from typing import NamedTuple

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

from simulator.limits import Window

TOO_MANY_MESSAGES = 1008
_SMALL, _MEDIUM = 126, 65536
_COUNTED = (Opcode.TEXT, Opcode.BINARY, Opcode.PING, Opcode.PONG)


class Outgoing(NamedTuple):
    """One message to a client; `subject` is what faults are matched with, `fact` goes to the ledger once sent."""

    subject: str
    payload: bytes
    fact: object = None
    opcode: Opcode = Opcode.TEXT


def encoded(payload: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    """Return one unmasked, unfragmented frame. Servers do not mask, so every client may get the same bytes."""
    size_bytes = len(payload)
    first = bytes([0x80 | opcode])
    if size_bytes < _SMALL:
        return first + bytes([size_bytes]) + payload
    if size_bytes < _MEDIUM:
        return first + b"\x7e" + size_bytes.to_bytes(2, "big") + payload
    return first + b"\x7f" + size_bytes.to_bytes(8, "big") + payload


class Connection(ServerConnection):
    """A server connection that counts what comes in, pings and pongs included."""

    inbound: Window
    inbound_per_s: int | None = None

    def process_event(self, event: Event) -> None:
        """Count a frame, cut the connection when there are too many, else carry on as usual."""
        if isinstance(event, Frame) and event.opcode in _COUNTED and self._is_too_much():
            self.protocol.fail(TOO_MANY_MESSAGES, "Too many requests")
            self.send_data()
        else:
            super().process_event(event)

    def _is_too_much(self) -> bool:
        return self.inbound_per_s is not None and self.inbound.add() > self.inbound_per_s
