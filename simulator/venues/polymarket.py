"""Polymarket Gamma: the markets, by offset as it is dying, by keyset, and one by one."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from simulator.faults import Clock
from simulator.ledger import Facts
from simulator.limits import Window
from simulator.markets import BadCursor, Markets, Row
from simulator.venue import Addresses, Shell
from simulator.web import json_response
from simulator.wire import Gone, Wire

NAME = "polymarket"
DEFAULT_PAGE = 20
MOST_QUEUED = 50
USE_KEYSET = "offset too large, use /markets/keyset for deeper pagination"


class Source(Protocol):
    """Where the markets come from."""

    markets: Markets

    async def live(self, clock: Clock) -> None:
        """Let markets appear, trade and close."""
        ...


class Recording:
    """Markets that stay as they were recorded."""

    def __init__(self, markets: Markets) -> None:
        self.markets = markets

    async def live(self, clock: Clock) -> None:
        """Do nothing."""


class Polymarket:
    """The Gamma REST interface."""

    def __init__(self, source: Source, shell: Shell) -> None:
        self._source = source
        self._limits = shell.limits
        self._clock = shell.clock(NAME)
        self._window = Window(10.0)
        self._queued = 0
        self._served: dict[str, None] = {}
        self._requests: Counter[str] = Counter()

    def routes(self) -> list[BaseRoute]:
        """Return the endpoints; the fixed paths come before the ones with an id."""
        return [
            Route("/markets", self._within_limits(self._by_offset)),
            Route("/markets/keyset", self._within_limits(self._by_keyset)),
            Route("/markets/slug/{value}", self._within_limits(self._single)),
            Route("/markets/{value}", self._within_limits(self._single)),
        ]

    async def live(self) -> None:
        """Let the markets move."""
        await self._source.live(self._clock)

    async def talk(self, wire: Wire) -> None:
        """Refuse to talk: Gamma has no socket."""
        await wire.close(1008)
        raise Gone

    def settings(self, at: Addresses) -> dict[str, str]:
        """Return the fleet's settings."""
        return {"POLYMARKET_GAMMA_URL": at.http}

    def facts(self, ids: bool) -> Facts:  # noqa: FBT001  (a callback of the ledger, asked by position)
        """Return how many markets there are and how many were served."""
        facts: Facts = {
            "markets": len(self._source.markets),
            "served": len(self._served),
            "requests": dict(self._requests),
        }
        if ids:
            facts |= {"market_ids": self._source.markets.ids(), "served_ids": list(self._served)}
        return facts

    def _within_limits(self, answer: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            self._requests[request.url.path] += 1
            # The venue's front queues before it rejects.
            if self._queued >= MOST_QUEUED:
                return json_response(b'{"error":"rate limit exceeded"}', 429, {"Retry-After": "10"})
            self._queued += 1
            try:
                await self._window.room_below(self._limits.gamma_per_10s)
            finally:
                self._queued -= 1
            self._window.add()
            return answer(request)

        return handle

    def _by_offset(self, request: Request) -> Response:
        limit, offset = _number(request, "limit", DEFAULT_PAGE), _number(request, "offset", 0)
        if limit is None or offset is None:
            return _invalid("limit and offset must be numbers")
        if offset > self._limits.gamma_offset:
            return _invalid(USE_KEYSET)
        query = tuple(request.query_params.multi_items())
        rows = self._source.markets.page(query, offset, min(limit, self._limits.gamma_page))
        return json_response(self._array(rows))

    def _by_keyset(self, request: Request) -> Response:
        limit = _number(request, "limit", DEFAULT_PAGE)
        if limit is None:
            return _invalid("limit must be a number")
        if "offset" in request.query_params:
            return _invalid("offset is not supported with keyset pagination")
        query = tuple(pair for pair in request.query_params.multi_items() if pair[0] not in ("cursor", "next_cursor"))
        cursor = request.query_params.get("after_cursor", "")
        try:
            rows, following = self._source.markets.page_after(query, cursor, min(limit, self._limits.gamma_keyset_page))
        except BadCursor:
            return _invalid("invalid cursor")
        tail = b',"next_cursor":%s}' % msgspec.json.encode(following) if following else b"}"
        return json_response(b'{"markets":' + self._array(rows) + tail)

    def _single(self, request: Request) -> Response:
        name = "slug" if request.url.path.startswith("/markets/slug/") else "id"
        row = self._source.markets.find(name, request.path_params["value"])
        if row is None:
            return json_response(b'{"type":"not found error","error":"id not found"}', 404)
        self._served[row.market.id] = None
        return json_response(row.raw)

    def _array(self, rows: list[Row]) -> bytes:
        self._served.update(dict.fromkeys(row.market.id for row in rows))
        return b"[" + b",".join([row.raw for row in rows]) + b"]"


def _number(request: Request, name: str, default: int) -> int | None:
    text = request.query_params.get(name, str(default))
    return int(text) if text.isdigit() else None


def _invalid(reason: str) -> Response:
    return json_response(msgspec.json.encode({"type": "validation error", "error": reason}), 422)
