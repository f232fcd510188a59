"""OKX: the REST endpoints, how often each answers, and its refusals."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from common.clock import NS_PER_MS
from simulator.faults import Clock
from simulator.ledger import Book
from simulator.limits import Limits, Window
from simulator.trades import TradeRow
from simulator.web import json_response

if TYPE_CHECKING:
    from simulator.venues.okx import Market

WINDOW_S = 2.0
ANSWERS_A_WINDOW = {
    "market/books": 40,
    "market/books-full": 10,
    "market/ticker": 20,
    "market/candles": 40,
    "market/history-candles": 20,
    "market/trades": 100,
    "market/history-trades": 20,
    "public/instruments": 20,
    "public/time": 10,
}
MOST_ROWS = {"market/trades": 500, "market/history-trades": 100}
MOST_LEVELS = {"market/books": 400, "market/books-full": 5000}
TOO_MANY = (429, 200)  # both are documented for the same refusal


class Refused(Exception):
    """A request is answered with a code. What next: the client reads it."""

    def __init__(self, code: str, message: str, status: int = 200) -> None:
        super().__init__(code, message)
        self.body = msgspec.json.encode({"code": code, "msg": message, "data": []})
        self.status = status


class Rest:
    """All endpoints over one market."""

    def __init__(self, market: "Market", limits: Limits, clock: Clock) -> None:
        self._market = market
        self._clock = clock
        self._limits = limits
        self._windows: defaultdict[str, Window] = defaultdict(lambda: Window(WINDOW_S))
        self._too_many = itertools.cycle(TOO_MANY)
        self.given_out = Book()
        self.requests: Counter[str] = Counter()

    def routes(self) -> list[BaseRoute]:
        """Return one route for all: limits and refusals are the same everywhere."""
        return [Route("/api/v5/{name:path}", self._handle)]

    async def _handle(self, request: Request) -> Response:
        name = request.path_params["name"]
        self.requests[name] += 1
        try:
            return json_response(self._body(name, dict(request.query_params)))
        except Refused as refused:
            return json_response(refused.body, refused.status)

    def _body(self, name: str, query: dict[str, str]) -> bytes:
        most = ANSWERS_A_WINDOW.get(name)
        if most is None:
            raise Refused("404", "Not Found", 404)
        if self._windows[name].add() > most * self._limits.okx_questions:
            message = "Rate limit reached. Please refer to API documentation and throttle requests accordingly."
            raise Refused("50011", message, next(self._too_many))
        if name == "public/time":
            return b'{"code":"0","msg":"","data":[{"ts":"%d"}]}' % (self._clock() // NS_PER_MS)
        asked = query | _levels(name, query)
        rows = self._trades(name, query) if name in MOST_ROWS else self._market.rows(name, asked)
        if rows is None:
            raise Refused("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
        return b'{"code":"0","msg":"","data":[%s]}' % b",".join(rows)

    def _trades(self, name: str, query: dict[str, str]) -> list[bytes] | None:
        found = self._market.trades(query.get("instId", ""))
        if found is None:
            return None
        limit = min(_number(query, "limit", 100), MOST_ROWS[name])
        page = _page(found, query, limit) if name == "market/history-trades" else found[-limit:][::-1]
        for row in page:
            self.given_out.count(row.fact)
        return [row.raw for row in page]


def _page(rows: list[TradeRow], query: Mapping[str, str], limit: int) -> list[TradeRow]:
    """Return rows older than `after` or newer than `before`, newest first."""
    by_time = query.get("type", "1") == "2"
    after, before = _number(query, "after", 0), _number(query, "before", 0)
    if after:
        rows = [row for row in rows if (row.time_ms if by_time else row.trade_id) < after]
    if before and not by_time:
        rows = [row for row in rows if row.trade_id > before]
    return rows[-limit:][::-1]


def _levels(name: str, query: Mapping[str, str]) -> dict[str, str]:
    if name not in MOST_LEVELS:
        return {}
    return {"sz": str(min(_number(query, "sz", 1), MOST_LEVELS[name]))}  # one level unless asked for more


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if text and not text.isdigit():
        raise Refused("51000", f"Parameter {name} error", 400)
    return int(text) if text else default
