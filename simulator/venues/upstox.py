"""Upstox: tokens, permissions that hold once, candles, and the market data socket."""

import asyncio
from typing import Protocol
from urllib.parse import parse_qs, quote, urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from websockets.exceptions import ConnectionClosed

from simulator.ledger import Book, Fact, Facts
from simulator.venue import Addresses, Shell
from simulator.venues.upstox_door import INVALID, Door
from simulator.venues.upstox_listener import Listener
from simulator.web import json_response
from simulator.wire import Gone, Wire

NAME = "upstox"
NOT_ALLOWED = 1008
FEED = "/v3/feed/market-data-feed"
CANDLES = "/v3/historical-candle"
SOCKET = "/market-data-feeder/v3/upstox-developer-api/feeds"
BAD_UNIT = b'{"status":"error","errors":[{"error_code":"UDAPI1021","message":"Only minutes of 1 are kept here"}]}'


class Market(Protocol):
    """Where the data comes from: a recording or a generator."""

    keys: list[str]
    published: Book
    more_settings: dict[str, str]

    async def play(self, listener: Listener) -> None:
        """Send a connection all that it subscribed to."""
        ...

    async def live(self) -> None:
        """Let the market move."""
        ...

    def candles(self, key: str, first_day: str, last_day: str) -> list[msgspec.Raw]:
        """Return rows of one minute, newest first, of days like 2025-01-31; no day is today."""
        ...


class Upstox:
    """The venue: one market, many connections."""

    def __init__(self, market: Market, shell: Shell) -> None:
        self.door = Door(shell.clock(NAME))
        self._market = market
        self._shell = shell
        self._sent = Book()
        self._socket = ""

    def routes(self) -> list[BaseRoute]:
        """Return the REST endpoints; `/simulated-token` stands for whoever hands out the day's token."""
        return [
            Route("/simulated-token", self._issue),
            Route(f"{FEED}/authorize", self._authorize),
            Route(FEED, self._redirect),
            Route(f"{CANDLES}/intraday/{{key}}/{{unit}}/{{interval}}", self._candles),
            Route(f"{CANDLES}/{{key}}/{{unit}}/{{interval}}/{{last}}", self._candles),
            Route(f"{CANDLES}/{{key}}/{{unit}}/{{interval}}/{{last}}/{{first}}", self._candles),
        ]

    async def live(self) -> None:
        """Let the market move."""
        await self._market.live()

    def settings(self, at: Addresses) -> dict[str, str]:
        """Return the fleet's settings; the token is fetched, so that a demo outlives the night."""
        self._socket = at.socket
        return {
            "UPSTOX_API_URL": at.http,
            "UPSTOX_TOKEN_URL": f"{at.http}/simulated-token",
            "UPSTOX_INSTRUMENT_KEYS": ",".join(self._market.keys),
            **self._market.more_settings,
        }

    def facts(self, ids: bool) -> Facts:  # noqa: ARG002, FBT001  (ticks have no ids)
        """Return what was published and sent."""
        return {"published": self._market.published.facts(), "sent": self._sent.facts()}

    async def talk(self, wire: Wire) -> None:
        """Obey requests and let the market play, until the client goes."""
        code = parse_qs(urlsplit(wire.path).query).get("code", [""])[0]
        if not self.door.admits(code):
            await wire.close(NOT_ALLOWED, "Forbidden")
            return
        listener = Listener(wire)
        wire.credit = self._credit
        try:
            async with asyncio.TaskGroup() as group:
                playing = group.create_task(self._market.play(listener))
                try:
                    while True:
                        listener.obey(await wire.receive())
                finally:
                    playing.cancel()
        except* (Gone, ConnectionClosed):
            pass

    def _credit(self, keys: object) -> None:
        for key in keys if isinstance(keys, tuple) else ():
            self._sent.count(Fact(key, "tick"))

    def _place(self) -> str:
        code = self.door.permit()
        return f"{self._socket}{SOCKET}?requestId=simulated&code={quote(code)}"

    async def _issue(self, request: Request) -> Response:
        fault = self._shell.faults.strike(NAME, ("token_life",), request.url.path)
        token = self.door.issue(fault.delay_s if fault else None)
        return json_response(msgspec.json.encode({"access_token": token}))

    async def _authorize(self, request: Request) -> Response:
        if not self._may(request):
            return json_response(INVALID, 401)
        place = self._place()
        # The documentation has one spelling, the vendor's own SDK reads the other.
        data = {"authorizedRedirectUri": place, "authorized_redirect_uri": place}
        return json_response(msgspec.json.encode({"status": "success", "data": data}))

    async def _redirect(self, request: Request) -> Response:
        return RedirectResponse(self._place(), 302) if self._may(request) else json_response(INVALID, 401)

    async def _candles(self, request: Request) -> Response:
        asked = request.path_params
        if not self._may(request):
            return json_response(INVALID, 401)
        if (asked["unit"], asked["interval"]) != ("minutes", "1"):
            return json_response(BAD_UNIT, 400)
        last = asked.get("last", "")
        rows = self._market.candles(asked["key"], asked.get("first", last), last)
        return json_response(msgspec.json.encode({"status": "success", "data": {"candles": rows}}))

    def _may(self, request: Request) -> bool:
        return self.door.knows(request.headers.get("authorization", ""))
