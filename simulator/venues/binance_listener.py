"""One Binance connection: what it subscribed to, and how its commands are answered."""

import asyncio
import re
from typing import NamedTuple

import msgspec

from common.clock import NS_PER_MS
from simulator.connection import Outgoing
from simulator.ledger import Fact
from simulator.wire import Wire

METHODS = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
GOOD_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")


class StreamFrame(NamedTuple):
    """One message of a stream, with and without the envelope of combined connections."""

    stream: str
    symbol: str
    combined: bytes
    bare: bytes
    fact: Fact


class Listener:
    """One connection and what it subscribed to."""

    def __init__(self, wire: Wire, *, combined: bool) -> None:
        self.wire = wire
        self.combined = combined
        self.streams: dict[str, None] = {}
        self.symbols: set[str] = set()
        self.changed = asyncio.Event()

    def update(self, *, add: list[str] = [], remove: list[str] = []) -> None:  # noqa: B006  (never changed)
        """Subscribe and unsubscribe. Stream names are lower case; others are taken, and stay silent."""
        self.streams.update(dict.fromkeys(add))
        for name in add:
            self.wire.subscribed(name)
        for name in remove:
            self.streams.pop(name, None)
        symbols = [name.partition("@")[0] for name in self.streams]
        self.symbols = {symbol.upper() for symbol in symbols if symbol == symbol.lower()}
        self.changed.set()

    def outgoing(self, frame: StreamFrame) -> Outgoing:
        """Return a frame in the shape this connection gets."""
        return Outgoing(frame.stream, frame.combined if self.combined else frame.bare, frame.fact)


def farewell(now_ns: int, *, combined: bool) -> bytes:
    """Return the notice that comes before the venue closes a connection."""
    event = b'{"e":"serverShutdown","E":%d}' % (now_ns // NS_PER_MS)
    return b'{"stream":"!serverShutdown","data":%s}' % event if combined else event


def answer(listener: Listener, text: str | bytes) -> bytes:
    """Carry out one command and return the answer to it."""
    try:
        command = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        return _error(3, f"Invalid JSON: {error}", None)
    if not isinstance(command, dict):
        return _error(2, "Invalid request: expected an object", None)
    number = command.get("id")
    if not _is_good_id(number):
        return _error(2, "Invalid request: request ID must be an integer or alphanumeric of at most 36", None)
    return _carried_out(listener, command, number)


def _carried_out(listener: Listener, command: dict[str, object], number: object) -> bytes:
    method, params = command.get("method"), command.get("params", [])
    match method:
        case "SUBSCRIBE" | "UNSUBSCRIBE":
            return _subscribed(listener, params, number, adds=method == "SUBSCRIBE")
        case "LIST_SUBSCRIPTIONS":
            return _result(list(listener.streams), number)
        case "SET_PROPERTY" | "GET_PROPERTY":
            return _property(listener, params, number)
        case _:
            return _error(2, f"Invalid request: unknown variant `{method}`, expected one of {METHODS}", number)


def _subscribed(listener: Listener, params: object, number: object, *, adds: bool) -> bytes:
    names = [name for name in params if isinstance(name, str)] if isinstance(params, list) else []
    if not names or names != params:
        return _error(2, "Invalid request: params must be an array of stream names", number)
    if adds:
        listener.update(add=names)
    else:
        listener.update(remove=names)
    return _result(None, number)


def _property(listener: Listener, params: object, number: object) -> bytes:
    match params:
        case ["combined", bool(value)]:
            listener.combined = value
            return _result(None, number)
        case ["combined"]:
            return _result(listener.combined, number)
        case _:
            return _error(0, "Unknown property", number)


def _is_good_id(number: object) -> bool:
    if isinstance(number, str):
        return GOOD_ID.fullmatch(number) is not None
    return number is None or (isinstance(number, int) and -(2**63) <= number < 2**63)


def _result(result: object, number: object) -> bytes:
    return msgspec.json.encode({"result": result, "id": number})


def _error(code: int, message: str, number: object) -> bytes:
    return msgspec.json.encode({"code": code, "msg": message, "id": number})
