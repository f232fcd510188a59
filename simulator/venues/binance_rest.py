"""Binance spot: the REST endpoints, their weights and their refusals."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, overload

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from common.clock import NS_PER_MS, monotonic_s
from simulator.faults import Clock
from simulator.ledger import Book
from simulator.limits import Limits
from simulator.trades import TradeQuery
from simulator.web import json_response

if TYPE_CHECKING:
    from simulator.venues.binance import Market

SYMBOL_SHAPE = "^[A-Z0-9-_.]{1,20}$"
DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))
MOST_LEVELS, DEFAULT_LEVELS = 5000, 100
MOST_ROWS, DEFAULT_ROWS = 1000, 500
WEIGHTS = {
    "trades": 25,
    "historicalTrades": 25,
    "aggTrades": 4,
    "klines": 2,
    "exchangeInfo": 20,
    "ticker/24hr": 2,
    "ticker/bookTicker": 2,
    "ticker/price": 2,
    "avgPrice": 2,
}
WEIGHT_OF_ALL = {"ticker/24hr": 80, "ticker/bookTicker": 4, "ticker/price": 4}
MINUTE_S = 60
TOO_MUCH = (
    "Too much request weight used; current limit is {} request weight per 1 MINUTE. "
    "Please use WebSocket Streams for live updates to avoid polling the API."
)


class Refused(Exception):
    """A request is answered with an error. What next: the client reads the code."""

    def __init__(self, code: int, message: str, status: int = 400, retry_after_s: int | None = None) -> None:
        super().__init__(code, message)
        self.body = msgspec.json.encode({"code": code, "msg": message})
        self.status = status
        self.headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}


class Weights:
    """The weight that one address has used in the running minute, and its ban."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._minute = 0
        self._after_429 = 0
        self._banned_until_s = 0.0
        self.used = 0

    def charge(self, weight: int) -> None:
        """
        Count a request.

        Raises:
            Refused: 429 over the limit; 418 for a while if the client goes on regardless.
        """
        now_s = monotonic_s()
        if int(now_s) // MINUTE_S != self._minute:
            self._minute = int(now_s) // MINUTE_S
            self.used = self._after_429 = 0
        self.used += weight
        if now_s < self._banned_until_s:
            self._refuse_banned(now_s)
        if self.used <= self._limits.weight_per_min:
            return
        self._after_429 += 1
        if self._after_429 > self._limits.requests_after_429:
            self._banned_until_s = now_s + self._limits.ban_s
            self._refuse_banned(now_s)
        message = TOO_MUCH.format(self._limits.weight_per_min)
        raise Refused(-1003, message, 429, MINUTE_S - int(now_s) % MINUTE_S)

    def _refuse_banned(self, now_s: float) -> None:
        left_s = self._banned_until_s - now_s
        until_ms = self._clock() // NS_PER_MS + int(left_s * 1000)
        message = f"Way too much request weight used; IP banned until {until_ms}. Please use WebSocket Streams."
        raise Refused(-1003, message, 418, max(1, round(left_s)))


class Rest:
    """All endpoints over one market."""

    def __init__(self, market: "Market", limits: Limits, clock: Clock) -> None:
        self._market = market
        self._clock = clock
        self._weights = Weights(limits, clock)
        self.given_out = Book()
        self.requests: Counter[str] = Counter()

    def routes(self) -> list[BaseRoute]:
        """Return one route for the whole of `/api`: weights and refusals are the same everywhere."""
        return [Route("/api/{version}/{name:path}", self._handle)]

    async def _handle(self, request: Request) -> Response:
        name = request.path_params["name"]
        query = dict(request.query_params)
        self.requests[name] += 1
        try:
            self._weights.charge(weight(name, query))
            response = json_response(self._body(name, query))
        except Refused as refused:
            response = json_response(refused.body, refused.status, refused.headers)
        response.headers["X-MBX-USED-WEIGHT-1M"] = response.headers["X-MBX-USED-WEIGHT"] = str(self._weights.used)
        return response

    def _body(self, name: str, query: dict[str, str]) -> bytes:
        match name:
            case "ping":
                return b"{}"
            case "time":
                return b'{"serverTime":%d}' % (self._clock() // NS_PER_MS)
            case "depth":
                body = self._market.depth(symbol_of(query), min(number(query, "limit", DEFAULT_LEVELS), MOST_LEVELS))
            case "trades" | "historicalTrades" | "aggTrades":
                body = self._trades(name, query)
            case _ if name in WEIGHTS:
                body = self._market.body(name, query)
            case _:
                raise Refused(-1000, "Not found", 404)
        if body is None:
            raise Refused(-1121, "Invalid symbol.")
        return body

    def _trades(self, name: str, query: dict[str, str]) -> bytes | None:
        asked = TradeQuery(
            limit=min(number(query, "limit", DEFAULT_ROWS), MOST_ROWS),
            from_id=number(query, "fromId") if name != "trades" else None,
            start_ms=number(query, "startTime") if name == "aggTrades" else None,
            end_ms=number(query, "endTime") if name == "aggTrades" else None,
        )
        rows = self._market.trades(symbol_of(query), "aggTrade" if name == "aggTrades" else "trade", asked)
        for row in rows or []:
            self.given_out.count(row.fact)
        return None if rows is None else b"[" + b",".join(row.raw for row in rows) + b"]"


def weight(name: str, query: Mapping[str, str]) -> int:
    """Return what a request costs."""
    if name == "depth":
        limit = query.get("limit", "")
        levels = int(limit) if limit.isdigit() else DEFAULT_LEVELS
        return next((cost for most, cost in DEPTH_WEIGHTS if levels <= most), DEPTH_WEIGHTS[-1][1])
    if "symbol" not in query and name in WEIGHT_OF_ALL:
        return WEIGHT_OF_ALL[name]
    return WEIGHTS.get(name, 1)


def symbol_of(query: Mapping[str, str]) -> str:
    """Return the symbol asked for, or refuse."""
    symbol = query.get("symbol", "")
    if not symbol:
        raise Refused(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
    if not re.fullmatch(SYMBOL_SHAPE, symbol):
        message = f"Illegal characters found in parameter 'symbol'; legal range is '{SYMBOL_SHAPE}'."
        raise Refused(-1100, message)
    return symbol


@overload
def number(query: Mapping[str, str], name: str) -> int | None: ...
@overload
def number(query: Mapping[str, str], name: str, default: int) -> int: ...
def number(query: Mapping[str, str], name: str, default: int | None = None) -> int | None:
    """Return a whole number that was asked for, the default if it was not, or refuse."""
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,20}", text):
        raise Refused(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    if name == "limit" and int(text) == 0:
        raise Refused(-1130, "Data sent for parameter 'limit' is not valid.")
    return int(text)
