"""Binance spot: the market data sockets. Its REST endpoints are in `binance_rest.py`."""

import asyncio
import re
from typing import NamedTuple, Protocol
from urllib.parse import parse_qs, urlsplit

import msgspec
from starlette.routing import BaseRoute
from websockets.exceptions import ConnectionClosed

from common.clock import NS_PER_MS, now_ns
from simulator.ledger import Book, Fact, Facts
from simulator.trades import TradeQuery, TradeRow
from simulator.venue import Addresses, Shell
from simulator.venues.binance_rest import Rest
from simulator.wire import Gone, Outgoing, Wire

TOO_MANY_STREAMS = 1008
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
        for name in remove:
            self.streams.pop(name, None)
        symbols = [name.partition("@")[0] for name in self.streams]
        self.symbols = {symbol.upper() for symbol in symbols if symbol == symbol.lower()}
        self.changed.set()

    def outgoing(self, frame: StreamFrame) -> Outgoing:
        """Return a frame in the shape this connection gets."""
        return Outgoing(frame.stream, frame.combined if self.combined else frame.bare, frame.fact)


class Market(Protocol):
    """Where the data comes from: a recording or a generator."""

    symbols: list[str]
    published: Book

    async def play(self, listener: Listener) -> None:
        """Send a connection all that it subscribed to."""
        ...

    async def live(self) -> None:
        """Let the market move."""
        ...

    def depth(self, symbol: str, limit: int) -> bytes | None:
        """Return the body of a snapshot, None for an unknown symbol."""
        ...

    def trades(self, symbol: str, kind: str, query: TradeQuery) -> list[TradeRow] | None:
        """Return rows of kind "trade" or "aggTrade", None for an unknown symbol."""
        ...

    def body(self, path: str, query: dict[str, str]) -> bytes | None:
        """Return the body of any other endpoint, None if there is none."""
        ...


class Binance:
    """The venue: one market, many connections."""

    def __init__(self, market: Market, shell: Shell) -> None:
        self._market = market
        self._shell = shell
        self._sent = Book()
        self._rest = Rest(market, shell.limits)

    def routes(self) -> list[BaseRoute]:
        """Return the REST endpoints."""
        return self._rest.routes()

    async def live(self) -> None:
        """Let the market move."""
        await self._market.live()

    def settings(self, at: Addresses) -> dict[str, str]:
        """Return the fleet's settings."""
        return {
            "BINANCE_WS_URL": at.socket,
            "BINANCE_REST_URL": at.http,
            "BINANCE_SYMBOLS": ",".join(self._market.symbols),
        }

    def facts(self, ids: bool) -> Facts:  # noqa: ARG002, FBT001  (trade ids are told as ranges anyway)
        """Return what was published, sent, and given out by REST."""
        return {
            "published": self._market.published.facts(),
            "sent": self._sent.facts(),
            "rest": self._rest.given_out.facts(),
            "rest_requests": dict(self._rest.requests),
        }

    async def talk(self, wire: Wire) -> None:
        """Obey subscriptions and let the market play, until the client goes."""
        url = urlsplit(wire.path)
        listener = Listener(wire, combined=url.path.startswith("/stream"))
        wire.credit = self._credit
        wire.farewell = lambda: farewell(combined=listener.combined)
        names = url.path.removeprefix("/ws").strip("/") if url.path.startswith("/ws") else ""
        streams = parse_qs(url.query).get("streams", [names])[0]
        if streams:
            listener.update(add=streams.split("/"))
        try:
            async with asyncio.TaskGroup() as group:
                playing = group.create_task(self._market.play(listener))
                try:
                    await self._obey(listener)
                finally:
                    playing.cancel()
        except* (Gone, ConnectionClosed):
            pass

    def _credit(self, fact: Fact | None) -> None:
        if fact is not None:
            self._sent.count(fact)

    async def _obey(self, listener: Listener) -> None:
        while len(listener.streams) <= self._shell.limits.streams_per_connection:
            text = await listener.wire.receive()
            await listener.wire.send([Outgoing("", answer(listener, text))])
        await listener.wire.close(TOO_MANY_STREAMS, "Too many streams")


def farewell(*, combined: bool) -> bytes:
    """Return the notice that comes before the venue closes a connection."""
    event = b'{"e":"serverShutdown","E":%d}' % (now_ns() // NS_PER_MS)
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
    params = command.get("params", [])
    match command.get("method"), params:
        case "SUBSCRIBE", [*names] if _are_names(names):
            listener.update(add=[str(name) for name in names])
            return _result(None, number)
        case "UNSUBSCRIBE", [*names] if _are_names(names):
            listener.update(remove=[str(name) for name in names])
            return _result(None, number)
        case "LIST_SUBSCRIPTIONS", _:
            return _result(list(listener.streams), number)
        case "SET_PROPERTY", ["combined", bool(value)]:
            listener.combined = value
            return _result(None, number)
        case "GET_PROPERTY", ["combined"]:
            return _result(listener.combined, number)
        case "SET_PROPERTY" | "GET_PROPERTY", _:
            return _error(0, "Unknown property", number)
        case "SUBSCRIBE" | "UNSUBSCRIBE", _:
            return _error(2, "Invalid request: params must be an array of stream names", number)
        case method, _:
            return _error(2, f"Invalid request: unknown variant `{method}`, expected one of {METHODS}", number)


def _are_names(names: list[object]) -> bool:
    return bool(names) and all(isinstance(name, str) for name in names)


def _is_good_id(number: object) -> bool:
    if isinstance(number, str):
        return GOOD_ID.fullmatch(number) is not None
    return number is None or (isinstance(number, int) and -(2**63) <= number < 2**63)


def _result(result: object, number: object) -> bytes:
    return msgspec.json.encode({"result": result, "id": number})


def _error(code: int, message: str, number: object) -> bytes:
    return msgspec.json.encode({"code": code, "msg": message, "id": number})
