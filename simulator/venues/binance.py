"""Binance spot: the market data sockets. Its REST endpoints are in `binance_rest.py`."""

import asyncio
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from starlette.routing import BaseRoute
from websockets.exceptions import ConnectionClosed

from simulator.ledger import Book, Fact, Facts
from simulator.trades import TradeQuery, TradeRow
from simulator.venue import Addresses, Shell
from simulator.venues.binance_listener import Listener, answer, farewell
from simulator.venues.binance_rest import Rest
from simulator.wire import Gone, Wire

NAME = "binance"
TOO_MANY_STREAMS = 1008


class Market(Protocol):
    """Where the data comes from: a recording or a generator."""

    symbols: list[str]
    published: Book

    @property
    def histories(self) -> list[str]:
        """Return from which ids on trades are there that no stream tells, as `SYMBOL@kind:id`."""
        ...

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
        self._rest = Rest(market, shell.limits, shell.clock(NAME))

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
            "BINANCE_HISTORY_FROM_ID": ",".join(self._market.histories),
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
        wire.farewell = lambda: farewell(self._shell.clock(NAME)(), combined=listener.combined)
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

    def _credit(self, fact: object) -> None:
        if isinstance(fact, Fact):
            self._sent.count(fact)

    async def _obey(self, listener: Listener) -> None:
        while len(listener.streams) <= self._shell.limits.streams_per_connection:
            text = await listener.wire.receive()
            await listener.wire.reply(answer(listener, text))
        await listener.wire.close(TOO_MANY_STREAMS, "Too many streams")
