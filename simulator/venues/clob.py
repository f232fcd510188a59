"""Polymarket's CLOB: the market channel, and the books by REST."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from websockets.exceptions import ConnectionClosed

from common.clock import NS_PER_S
from simulator.ledger import Book, Fact, Facts
from simulator.venue import Addresses, Shell
from simulator.venues.clob_listener import Listener
from simulator.web import json_response
from simulator.wire import Gone, Wire

NAME = "polymarket_clob"
MOST_BOOKS = 500
NO_BOOK = b'{"error":"No orderbook exists for the requested token id"}'
LAST_TWO = {"BUY": "bids", "SELL": "asks"}


class Market(Protocol):
    """Where the data comes from: a recording or a generator."""

    published: Book

    def chosen(self) -> str:
        """Return the markets that the fleet is to listen to, as its setting names them."""
        ...

    async def play(self, listener: Listener) -> None:
        """Send a connection all that it subscribed to."""
        ...

    async def live(self) -> None:
        """Let the markets move."""
        ...

    def book(self, token: str) -> bytes | None:
        """Return the body of a book, best level last; None for an unknown token."""
        ...


class Clob:
    """The venue: one market, many connections."""

    def __init__(self, market: Market, shell: Shell) -> None:
        self._market = market
        self._limits = shell.limits
        self._clock = shell.clock(NAME)
        self._sent = Book()
        self._requests: Counter[str] = Counter()

    def routes(self) -> list[BaseRoute]:
        """Return the REST endpoints."""
        single: dict[str, Callable[[dict[str, Any], Request], dict[str, Any]]] = {
            "midpoint": lambda book, _: {"mid": f"{_middle(book):g}"},
            "spread": lambda book, _: {"spread": f"{_best(book, 'asks') - _best(book, 'bids'):g}"},
            "price": lambda book, request: {
                "price": f"{_best(book, LAST_TWO.get(request.query_params.get('side', ''), 'bids')):g}"
            },
            "tick-size": lambda book, _: {"minimum_tick_size": float(book.get("tick_size", "0.01"))},
            "neg-risk": lambda book, _: {"neg_risk": book.get("neg_risk", False)},
            "last-trade-price": lambda book, _: {"price": book.get("last_trade_price", ""), "side": ""},
        }
        return [
            Route("/book", self._book),
            Route("/books", self._books, methods=["POST"]),
            Route("/time", lambda _: json_response(str(self._clock() // NS_PER_S).encode())),
            *(Route(f"/{name}", self._figure(figure)) for name, figure in single.items()),
        ]

    async def live(self) -> None:
        """Let the markets move."""
        await self._market.live()

    def settings(self, at: Addresses) -> dict[str, str]:
        """Return the fleet's settings."""
        return {
            "POLYMARKET_WS_URL": at.socket,
            "POLYMARKET_CLOB_URL": at.http,
            "POLYMARKET_MARKETS": self._market.chosen(),
        }

    def facts(self, ids: bool) -> Facts:  # noqa: ARG002, FBT001  (a callback of the ledger, asked by position)
        """Return what was published and sent, by token and kind."""
        return {
            "published": self._market.published.facts(),
            "sent": self._sent.facts(),
            "rest_requests": dict(self._requests),
        }

    async def talk(self, wire: Wire) -> None:
        """Obey subscriptions and let the market play, until the client goes; one that never subscribes is cut off."""
        listener = Listener(wire)
        wire.credit = self._credit
        try:
            async with asyncio.TaskGroup() as group:
                playing = group.create_task(self._market.play(listener))
                try:
                    async with asyncio.timeout(self._limits.clob_first_command_s) as patience:
                        while not listener.tokens:
                            await self._obey(listener)
                        patience.reschedule(None)
                        while True:
                            await self._obey(listener)
                finally:
                    playing.cancel()
        except* (Gone, ConnectionClosed):
            pass
        except* TimeoutError:
            await wire.close(1000)

    @staticmethod
    async def _obey(listener: Listener) -> None:
        text = await listener.wire.receive()
        if text in ("PING", b"PING"):
            await listener.wire.reply(b"PONG")
        elif not listener.obey(text):
            await listener.wire.reply(b"INVALID OPERATION")

    def _credit(self, facts: object) -> None:
        if isinstance(facts, tuple):
            for fact in facts:
                if isinstance(fact, Fact):
                    self._sent.count(fact)

    def _book(self, request: Request) -> Response:
        self._requests["/book"] += 1
        token = request.query_params.get("token_id", "")
        if not token.isdigit():
            return json_response(b'{"error":"Invalid token id"}', 400)
        body = self._market.book(token)
        return json_response(NO_BOOK, 404) if body is None else json_response(body)

    async def _books(self, request: Request) -> Response:
        """Answer with the books that exist, in an order of the venue's own."""
        self._requests["/books"] += 1
        try:
            asked = msgspec.json.decode(await request.body(), type=list[dict[str, str]])
        except msgspec.DecodeError:
            return json_response(b'{"error":"Invalid payload"}', 400)
        if len(asked) > MOST_BOOKS:
            return json_response(b'{"error":"Payload exceeds the limit"}', 400)
        tokens = sorted({one.get("token_id", "") for one in asked}, key=lambda token: token[::-1])
        bodies = [body for token in tokens if (body := self._market.book(token)) is not None]
        return json_response(b"[" + b",".join(bodies) + b"]")

    def _figure(self, figure: Callable[[dict[str, Any], Request], dict[str, Any]]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            self._requests[request.url.path] += 1
            body = self._market.book(request.query_params.get("token_id", ""))
            if body is None:
                return json_response(NO_BOOK, 404)
            return json_response(msgspec.json.encode(figure(msgspec.json.decode(body), request)))

        return answer


def _best(book: dict[str, Any], side: str) -> float:
    return float(book[side][-1]["price"]) if book[side] else 0.0


def _middle(book: dict[str, Any]) -> float:
    return (_best(book, "bids") + _best(book, "asks")) / 2
