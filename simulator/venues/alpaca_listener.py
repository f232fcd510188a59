"""One Alpaca connection: signing in, subscriptions, and what is sent of an array."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import msgspec
from websockets.frames import Opcode

from simulator.connection import Outgoing
from simulator.venues.alpaca_messages import (
    CRYPTO_CHANNELS,
    FOLLOW_TRADES,
    STOCK_CHANNELS,
    TEST_CHANNELS,
    Point,
    array,
    as_msgpack,
)
from simulator.wire import Wire

KEY, SECRET = "SIMULATED-KEY-ID", "SIMULATED-SECRET"  # what the fleet is told, and nobody else has
GOOD_SYMBOL = re.compile(r"\*|[A-Z0-9.]{1,12}(/[A-Z]{2,6})?")
COUNTED = ("trades", "quotes")  # a plan's limit of symbols is for these
EVERY = "*"
ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    410: "invalid subscribe action for this feed",
}


class Listener:
    """One connection and what it subscribed to."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.path = wire.path.partition("?")[0]
        self.is_crypto = "/crypto/" in self.path
        self.is_msgpack = wire.header("Content-Type") == "application/msgpack"
        self.is_signed_in = False
        self.changed = asyncio.Event()
        self.new_books: list[str] = []
        names = TEST_CHANNELS if self.path.endswith("/test") else STOCK_CHANNELS
        self.channels: dict[str, dict[str, None]] = {
            name: {} for name in (CRYPTO_CHANNELS if self.is_crypto else names)
        }

    @property
    def symbols(self) -> set[str]:
        """Return every symbol subscribed to, on whatever channel."""
        return {symbol for symbols in self.channels.values() for symbol in symbols}

    def wants(self, point: Point) -> bool:
        """Return whether a message is subscribed to."""
        if not point.channel:  # a kind that is new: of whatever was subscribed to
            return not point.symbol or not self.symbols.isdisjoint((point.symbol, EVERY))
        symbols = self.channels.get(point.channel)
        return symbols is not None and (point.symbol in symbols or EVERY in symbols)

    def outgoing(self, points: Sequence[Point]) -> Outgoing | None:
        """Return an array of what is wanted of these, None when that is nothing."""
        wanted = [point for point in points if self.wants(point)]
        if not wanted:
            return None
        subject = ",".join(dict.fromkeys(f"{point.channel}:{point.symbol}" for point in wanted))
        payload = array(wanted, is_msgpack=self.is_msgpack)
        opcode = Opcode.BINARY if self.is_msgpack else Opcode.TEXT
        return Outgoing(subject, payload, tuple(point.fact for point in wanted), opcode)

    async def say(self, message: dict[str, Any]) -> None:
        """Send a control message: always an array of one."""
        if self.is_msgpack:
            await self.wire.reply(as_msgpack([message]), Opcode.BINARY)
        else:
            await self.wire.reply(msgspec.json.encode([message]))

    async def refuse(self, code: int) -> None:
        """Send an error."""
        await self.say({"T": "error", "code": code, "msg": ERRORS.get(code, "internal error")})

    def command(self, data: str | bytes) -> dict[str, Any] | None:
        """Return what the client asks, None when it cannot be read."""
        try:
            decoded = msgspec.msgpack.decode(data) if isinstance(data, bytes) else msgspec.json.decode(data)
        except msgspec.DecodeError:
            return None
        return decoded if isinstance(decoded, dict) else None

    def subscribe(self, command: dict[str, Any], most_symbols: int) -> int:
        """Carry out a (un)subscription; return the code of an error, 0 when it was done."""
        asked = {name: names for name, names in command.items() if name != "action"}
        if not asked or not all(_are_symbols(names) for names in asked.values()):
            return 400
        if not set(asked) <= set(self.channels) - set(FOLLOW_TRADES):
            return 410
        draft = self._draft(command["action"], asked)
        if len({symbol for name in COUNTED for symbol in draft.get(name, ())}) > most_symbols:
            return 405
        for name in set(FOLLOW_TRADES) & set(draft):
            draft[name] = dict(draft["trades"])
        before = set(self.channels.get("orderbooks", ()))
        self.channels = draft
        if command["action"] == "subscribe":
            self._renew(asked)
        self.new_books += [symbol for symbol in draft.get("orderbooks", ()) if symbol not in before]
        self.changed.set()
        return 0

    def _draft(self, action: str, asked: dict[str, list[str]]) -> dict[str, dict[str, None]]:
        """Return the channels as they would be after a command."""
        draft = {name: dict(symbols) for name, symbols in self.channels.items()}
        for name, symbols in asked.items():
            if action == "subscribe":
                draft[name].update(dict.fromkeys(symbols))
            else:
                for symbol in symbols:
                    draft[name].pop(symbol, None)
        return draft

    def _renew(self, asked: dict[str, list[str]]) -> None:
        """Let what was mute speak again."""
        for name, symbols in asked.items():
            for symbol in symbols:
                self.wire.subscribed(f"{name}:{symbol}")

    async def acknowledge(self) -> None:
        """Send the whole list, however little has changed."""
        await self.say({"T": "subscription", **{name: list(symbols) for name, symbols in self.channels.items()}})


def _are_symbols(names: object) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) and GOOD_SYMBOL.fullmatch(name) for name in names)
