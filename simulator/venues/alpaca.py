"""Alpaca's market data: the stock and crypto streams on one port. REST is in `alpaca_rest.py`."""

import asyncio
from collections import Counter
from typing import Protocol

from starlette.routing import BaseRoute
from websockets.exceptions import ConnectionClosed

from simulator.ledger import Book, Fact, Facts
from simulator.venue import Addresses, Shell
from simulator.venues.alpaca_listener import KEY, SECRET, Listener
from simulator.venues.alpaca_rest import Rest, Row
from simulator.wire import Gone, Wire

NAME = "alpaca"
STREAMS = ("/v2/", "/v1beta1/", "/v1beta3/crypto/")
NO_SUCH_PLACE = 1008


class Market(Protocol):
    """Where the data comes from: a recording or a generator."""

    stocks: list[str]
    crypto: list[str]
    stocks_feed: str
    published: Book

    async def play(self, listener: Listener) -> None:
        """Send a connection all that it subscribed to."""
        ...

    async def live(self) -> None:
        """Let the market move."""
        ...

    def rows(self, symbol: str) -> list[Row]:
        """Return the trades of a symbol so far, by time."""
        ...

    def minutes(self, symbol: str) -> list[Row]:
        """Return the minutes of a symbol so far, by time."""
        ...

    def body(self, path: str) -> bytes | None:
        """Return the body of any other endpoint, None if there is none."""
        ...


class Alpaca:
    """The venue: one account, one connection to each stream."""

    def __init__(self, market: Market, shell: Shell) -> None:
        self._market = market
        self._shell = shell
        self._sent = Book()
        self._sessions: Counter[str] = Counter()
        self._rest = Rest(market, shell.limits, shell.clock(NAME))

    def routes(self) -> list[BaseRoute]:
        """Return the REST endpoints."""
        return self._rest.routes()

    async def live(self) -> None:
        """Let the market move."""
        await self._market.live()

    def settings(self, at: Addresses) -> dict[str, str]:
        """Return the fleet's settings, with keys that are good for nothing else."""
        stocks, crypto = self._market.stocks, self._market.crypto
        return {
            "ALPACA_WS_URL": at.socket,
            "ALPACA_REST_URL": at.http,
            "ALPACA_TRADING_URL": at.http,
            "ALPACA_API_KEY": KEY,
            "ALPACA_SECRET_KEY": SECRET,
            "ALPACA_STOCKS_FEED": self._market.stocks_feed,
            "ALPACA_STOCKS_ENABLED": str(bool(stocks)).lower(),
            "ALPACA_CRYPTO_ENABLED": str(bool(crypto)).lower(),
            **({"ALPACA_STOCKS_SYMBOLS": ",".join(stocks)} if stocks else {}),
            **({"ALPACA_CRYPTO_SYMBOLS": ",".join(crypto)} if crypto else {}),
        }

    def facts(self, ids: bool) -> Facts:  # noqa: ARG002, FBT001  (trade ids are told as ranges anyway)
        """Return what was published, sent, and given out by REST."""
        return {
            "published": self._market.published.facts(),
            "sent": self._sent.facts(),
            "rest": self._rest.given_out.facts(),
            "rest_requests": self._rest.requests,
        }

    async def talk(self, wire: Wire) -> None:
        """Greet, let the client sign in, obey it and let the market play until it goes."""
        wire.admit(None)
        wire.credit = self._credit
        listener = Listener(wire)
        if not listener.path.startswith(STREAMS):
            await wire.close(NO_SUCH_PLACE, "no such stream")
            return
        try:
            await listener.say({"T": "success", "msg": "connected"})
            if await self._signed_in(listener):
                await self._serve(listener)
        except* (Gone, ConnectionClosed):
            pass
        finally:
            if listener.is_signed_in:
                self._sessions[listener.path] -= 1

    async def _signed_in(self, listener: Listener) -> bool:
        """Return whether the client gave good keys in time, in a message or in the handshake."""
        if listener.wire.header("APCA-API-KEY-ID"):
            return await self._try(
                listener, listener.wire.header("APCA-API-KEY-ID"), listener.wire.header("APCA-API-SECRET-KEY")
            )
        try:
            async with asyncio.timeout(self._shell.limits.alpaca_auth_s):
                while not listener.is_signed_in:
                    if not await self._hear_stranger(listener):
                        return False
        except TimeoutError:
            await listener.refuse(404)
            await listener.wire.close(1000)
            return False
        return True

    async def _hear_stranger(self, listener: Listener) -> bool:
        command = listener.command(await listener.wire.receive())
        if command is None:
            await listener.refuse(400)
        elif command.get("action") != "auth":
            await listener.refuse(401)
        else:
            return await self._try(listener, str(command.get("key")), str(command.get("secret")))
        return True

    async def _try(self, listener: Listener, key: str, secret: str) -> bool:
        """Sign a client in; one more session than allowed is refused, and its connection stays open."""
        if (key, secret) != (KEY, SECRET):
            await listener.refuse(402)
            await listener.wire.close(1000)
            return False
        if self._sessions[listener.path] >= self._shell.limits.alpaca_sessions:
            await listener.refuse(406)
            return True
        self._sessions[listener.path] += 1
        listener.is_signed_in = True
        await listener.say({"T": "success", "msg": "authenticated"})
        return True

    async def _serve(self, listener: Listener) -> None:
        async with asyncio.TaskGroup() as group:
            playing = group.create_task(self._market.play(listener))
            try:
                while True:
                    await self._obey(listener, await listener.wire.receive())
            finally:
                playing.cancel()

    async def _obey(self, listener: Listener, data: str | bytes) -> None:
        command = listener.command(data) or {}
        match command.get("action"):
            case "auth":
                await listener.refuse(403)
            case "subscribe" | "unsubscribe":
                code = listener.subscribe(command, self._shell.limits.alpaca_symbols)
                if code:
                    await listener.refuse(code)
                else:
                    await listener.acknowledge()
            case _:
                await listener.refuse(400)

    def _credit(self, facts: object) -> None:
        for fact in facts if isinstance(facts, tuple) else ():
            if isinstance(fact, Fact):
                self._sent.count(fact)
