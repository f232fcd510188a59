"""One OKX connection: what it subscribed to, and how its commands are answered."""

import asyncio
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from common.clock import monotonic_s
from simulator.connection import Outgoing
from simulator.ledger import Fact
from simulator.limits import Limits, Window
from simulator.wire import Wire

PUBLIC, BUSINESS = "public", "business"
BUSINESS_CHANNELS = ("trades-all", "candle")
PRIVILEGED = ("books-l2-tbt", "books50-l2-tbt")
PATHS = {PUBLIC: f"/ws/v5/{PUBLIC}", BUSINESS: f"/ws/v5/{BUSINESS}"}
CONNECTION_ID = "a4d3ae55"
MOST_REQUEST_BYTES = 64 * 1024
NO_SUCH = (
    "Wrong URL or channel:{},instId:{} doesn't exist. "
    "Please use the correct URL, channel and parameters referring to API document."
)

Arg = tuple[str, str]  # channel, instrument


class ChannelFrame(NamedTuple):
    """One message of a channel."""

    path: str
    channel: str
    symbol: str
    payload: bytes
    fact: Fact


class Command(msgspec.Struct):
    """What a client asks for."""

    op: str = ""
    args: list[dict[str, str]] = []
    id: str | None = None


_command = msgspec.json.Decoder(Command).decode


def path_of(channel: str) -> str:
    """Return the socket on which a channel is told."""
    return BUSINESS if channel.startswith(BUSINESS_CHANNELS) else PUBLIC


class Listener:
    """
    One connection and what it subscribed to.

    `fresh` are subscriptions that were not begun yet; one that is made again is begun again.
    """

    def __init__(self, wire: Wire, path: str, spoil: Callable[[Outgoing], Outgoing]) -> None:
        self.wire = wire
        self.path = path
        self.args: dict[Arg, None] = {}
        self.fresh: list[Arg] = []
        self.symbols: set[str] = set()
        self.changed = asyncio.Event()
        self.active_s = monotonic_s()  # the last message of either side
        self._spoil = spoil
        self._leaving: asyncio.Task[None] | None = None

    def update(self, *, add: tuple[Arg, ...] = (), remove: tuple[Arg, ...] = ()) -> None:
        """Subscribe and unsubscribe."""
        self.args.update(dict.fromkeys(add))
        self.fresh += add
        for arg in remove:
            self.args.pop(arg, None)
        self.symbols = {symbol for _, symbol in self.args}
        self.changed.set()

    def take_fresh(self) -> list[Arg]:
        """Return the subscriptions to begin, and forget them."""
        fresh, self.fresh = self.fresh, []
        return fresh

    def hang_up(self, code: int, reason: str) -> None:
        """Close with a code, soon."""
        self._leaving = asyncio.create_task(self.wire.close(code, reason))

    async def send(self, frames: list[ChannelFrame]) -> None:
        """Push messages."""
        self.active_s = monotonic_s()
        await self.wire.send(
            [self._spoil(Outgoing(f"{one.channel}:{one.symbol}", one.payload, one.fact)) for one in frames]
        )


class Desk:
    """Answers the commands of one connection; `knows` says whether an instrument has a channel."""

    def __init__(self, listener: Listener, knows: Callable[[str, str], bool], limits: Limits, *, is_free: bool) -> None:
        self._listener = listener
        self._knows = knows
        self._limits = limits
        self._is_free = is_free  # a recording gives its privileged channels to everybody
        self._operations = Window(limits.okx_hour_s)

    def answer(self, text: str | bytes) -> Iterator[bytes]:
        """Carry out one command; yield an answer for each of its arguments."""
        if len(text) > MOST_REQUEST_BYTES:
            yield error("60012", "Illegal request: the request is too long", None)
            return
        try:
            command = _command(text)
        except msgspec.DecodeError:
            told = text if isinstance(text, str) else text.decode(errors="replace")
            yield error("60012", f"Invalid request: {told}", None)
            return
        if command.op not in ("subscribe", "unsubscribe"):
            yield error("60012", f"Invalid request: unknown op {command.op}", command.id)
        elif not command.args:
            yield error("60013", "Invalid args", command.id)
        elif self._operations.add() > self._limits.okx_operations_per_hour:
            yield error("60014", "Requests too frequent.", command.id)
        else:
            for arg in command.args:
                yield self._carry_out(command, arg.get("channel", ""), arg.get("instId", ""))

    def _carry_out(self, command: Command, channel: str, symbol: str) -> bytes:
        if command.op == "subscribe":
            if refusal := self._refusal(channel, symbol):
                return error(*refusal, command.id)
            self._listener.update(add=((channel, symbol),))
            self._listener.wire.subscribed(f"{channel}:{symbol}")
        else:
            self._listener.update(remove=((channel, symbol),))
        arg = {"channel": channel, "instId": symbol}
        told: dict[str, object] = {"event": command.op, "arg": arg, "connId": CONNECTION_ID}
        return msgspec.json.encode(_with_id(told, command.id))

    def _refusal(self, channel: str, symbol: str) -> tuple[str, str] | None:
        if path_of(channel) != self._listener.path and not self._is_free:
            return "60018", NO_SUCH.format(channel, symbol)
        if channel in PRIVILEGED and not self._is_free:
            return "60011", "Please log in"
        if not self._knows(channel, symbol):
            return "60018", NO_SUCH.format(channel, symbol)
        if channel == "books" and ("books-l2-tbt", symbol) in self._listener.args:
            return "64004", "Subscribe to both books and books-l2-tbt for the same instrument is not allowed"
        return None


def error(code: str, message: str, number: str | None) -> bytes:
    """Return an error; the connection stays open."""
    told: dict[str, object] = {"event": "error", "code": code, "msg": message, "connId": CONNECTION_ID}
    return msgspec.json.encode(_with_id(told, number))


def notice() -> bytes:
    """Return what is said a minute before a connection is closed."""
    message = "The connection will soon be closed for a service upgrade. Please reconnect."
    told = {"event": "notice", "code": "64008", "msg": message, "connId": CONNECTION_ID}
    return msgspec.json.encode(told)


def _with_id(told: dict[str, object], number: str | None) -> dict[str, object]:
    return told if number is None else {"id": number, **told}
