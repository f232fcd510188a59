"""OKX v5: the public and the business socket. Its REST endpoints are in `okx_rest.py`."""

import asyncio
import contextlib
import re
from typing import Protocol
from urllib.parse import urlsplit

from starlette.routing import BaseRoute
from websockets.exceptions import ConnectionClosed

from common.clock import monotonic_s
from simulator.connection import Outgoing
from simulator.ledger import Book, Fact, Facts
from simulator.limits import Window
from simulator.trades import TradeRow
from simulator.venue import Addresses, Shell
from simulator.venues.okx_listener import PATHS, Desk, Listener, notice
from simulator.venues.okx_rest import Rest
from simulator.wire import Gone, Wire

NAME = "okx"
NO_DATA, TOO_MANY_CONNECTIONS = 4004, 1008
LOOK_S = 0.05
LATE_ACK_S = 0.03
CHECKSUM = re.compile(rb'"checksum":(-?\d+)')


class Market(Protocol):
    """Where the data comes from: a recording or a generator."""

    symbols: list[str]
    published: Book
    is_recording: bool

    def knows(self, channel: str, symbol: str) -> bool:
        """Return whether an instrument has a channel."""
        ...

    async def play(self, listener: Listener) -> None:
        """Send a connection all that it subscribed to."""
        ...

    async def live(self) -> None:
        """Let the market move."""
        ...

    def rows(self, name: str, query: dict[str, str]) -> list[bytes] | None:
        """Return the data of any endpoint but those of trades, None for an unknown instrument."""
        ...

    def trades(self, symbol: str) -> list[TradeRow] | None:
        """Return the trades so far, oldest first, None for an unknown instrument."""
        ...

    def settings(self) -> dict[str, str]:
        """Return settings of the fleet beside the addresses."""
        ...


class Okx:
    """The venue: one market, many connections."""

    def __init__(self, market: Market, shell: Shell) -> None:
        self._market = market
        self._shell = shell
        self._sent = Book()
        self._rest = Rest(market, shell.limits, shell.clock(NAME))
        self._connects = Window(1.0)

    def routes(self) -> list[BaseRoute]:
        """Return the REST endpoints."""
        return self._rest.routes()

    async def live(self) -> None:
        """Let the market move."""
        await self._market.live()

    def settings(self, at: Addresses) -> dict[str, str]:
        """Return the fleet's settings."""
        return {
            "OKX_WS_URL": at.socket,
            "OKX_API_BASE_URL": at.http,
            "OKX_SYMBOLS": ",".join(self._market.symbols),
            **self._market.settings(),
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
        """Obey subscriptions and let the market play, until the client goes or is too quiet."""
        path = next((name for name, path in PATHS.items() if urlsplit(wire.path).path == path), None)
        if path is None or self._connects.add() > self._shell.limits.okx_connects_per_s:
            await wire.close(TOO_MANY_CONNECTIONS, "Too many requests")
            return
        wire.lift_inbound_limit()
        wire.credit = self._credit
        wire.farewell = notice
        listener = Listener(wire, path, lambda message: self._spoilt(wire, message))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._market.play(listener)), group.create_task(self._watch(listener))]
                try:
                    await self._obey(listener)
                finally:
                    for task in tasks:
                        task.cancel()
        except* (Gone, ConnectionClosed):
            pass

    def _credit(self, fact: object) -> None:
        if isinstance(fact, Fact):
            self._sent.count(fact)

    async def _obey(self, listener: Listener) -> None:
        limits, market = self._shell.limits, self._market
        desk = Desk(listener, market.knows, limits, is_free=market.is_recording)
        while True:
            text = await listener.wire.receive()
            listener.active_s = monotonic_s()
            if text == "ping":
                await listener.wire.reply(b"pong")
                continue
            answers = list(desk.answer(text))
            if "candle" in str(text):  # the venue's acknowledgements come behind the first data at times
                await asyncio.sleep(LATE_ACK_S)
            for answer in answers:
                await listener.wire.reply(answer)

    async def _watch(self, listener: Listener) -> None:
        """Hang up on a connection without a message of either side."""
        idle_s = self._shell.limits.okx_idle_s
        while monotonic_s() - listener.active_s < idle_s:  # noqa: ASYNC110  (it is the time without events that counts)
            await asyncio.sleep(min(LOOK_S, idle_s / 4))
        with contextlib.suppress(ConnectionClosed):
            await listener.wire.close(NO_DATA, f"No data received in {idle_s:g}s.")

    def _spoilt(self, wire: Wire, message: Outgoing) -> Outgoing:
        """Return a message, its checksum made wrong if that was ordered."""
        faults = self._shell.faults
        if not faults.threatens(wire.venue) or not CHECKSUM.search(message.payload):
            return message
        if faults.strike(wire.venue, ("checksum",), message.subject, wire.number) is None:
            return message
        wrong = CHECKSUM.sub(lambda found: b'"checksum":%d' % (int(found[1]) ^ 0x2A), message.payload)
        return message._replace(payload=wrong)
