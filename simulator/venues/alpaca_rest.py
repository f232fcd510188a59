"""Alpaca's REST side: historical trades and minute bars by time, page by page, and the limit of requests a minute."""

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from common.clock import NS_PER_S
from simulator.faults import Clock
from simulator.ledger import Book, Fact
from simulator.limits import Limits, Window
from simulator.venues.alpaca_listener import KEY, SECRET
from simulator.venues.alpaca_messages import time_ns, time_text
from simulator.web import json_response

if TYPE_CHECKING:
    from simulator.venues.alpaca import Market

MINUTE_S = 60.0
MOST_ROWS, DEFAULT_ROWS = 10_000, 1_000
SIGNED = 2**63


class Row(NamedTuple):
    """A trade as REST gives it out, sorted by time, exchange and id; or a bar, which is no fact of its own."""

    at_ns: int
    exchange: str
    number: int
    raw: bytes
    fact: Fact | None

    @property
    def place(self) -> tuple[int, str, int]:
        """Return where it stands in the order of the pages."""
        return self.at_ns, self.exchange, self.number


class Refused(Exception):
    """A request is answered with an error. What next: the client reads the message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.body = msgspec.json.encode({"message": message})


class Rest:
    """The endpoints over one market."""

    def __init__(self, market: "Market", limits: Limits, clock: Clock) -> None:
        self._market = market
        self._clock = clock
        self._limits = limits
        self._window = Window(MINUTE_S)
        self.given_out = Book()
        self.requests: Counter[str] = Counter()

    def routes(self) -> list[BaseRoute]:
        """Return one route for all endpoints: keys and limits are the same everywhere."""
        return [Route("/{version}/{path:path}", self._handle)]

    async def _handle(self, request: Request) -> Response:
        self.requests[request.url.path] += 1
        used = self._window.add()
        try:
            self._check(request, used)
            response = json_response(self._body(request.url.path, dict(request.query_params)))
        except Refused as refused:
            response = json_response(refused.body, refused.status)
        most = self._limits.alpaca_per_min
        response.headers["X-Ratelimit-Limit"] = str(most)
        response.headers["X-Ratelimit-Remaining"] = str(max(0, most - used))
        response.headers["X-Ratelimit-Reset"] = str(int(self._clock() // NS_PER_S + self._window.frees_in_s()))
        return response

    def _check(self, request: Request, used: int) -> None:
        headers = request.headers
        if (headers.get("APCA-API-KEY-ID"), headers.get("APCA-API-SECRET-KEY")) != (KEY, SECRET):
            raise Refused(403, "forbidden.")
        if used > self._limits.alpaca_per_min:
            raise Refused(429, "too many requests.")

    def _body(self, path: str, query: dict[str, str]) -> bytes:
        if path.endswith(("/stocks/trades", "/us/trades")) and "symbols" in query:
            return self._page(query, "trades", self._market.rows)
        if path == "/v2/assets":
            return self._assets(query.get("asset_class", ""))
        body = self._market.body(path)
        if body is None and path.endswith(("/stocks/bars", "/us/bars")) and query.get("timeframe") == "1Min":
            return self._page(query, "bars", self._market.minutes)
        if body is None:
            raise Refused(404, "endpoint not found.")
        return body

    def _assets(self, kind: str) -> bytes:
        """Return what can be traded, in the shape of https://docs.alpaca.markets/reference/get-v2-assets."""
        listed = [(symbol, "us_equity", "NYSE") for symbol in self._market.stocks]
        listed += [(symbol, "crypto", "CRYPTO") for symbol in self._market.crypto]
        return msgspec.json.encode(
            [
                {"class": of, "exchange": at, "symbol": one, "name": one, "status": "active", "tradable": True}
                for one, of, at in listed
                if kind in ("", of)
            ]
        )

    def _page(self, query: dict[str, str], name: str, rows_of: Callable[[str], list[Row]]) -> bytes:
        """Return rows symbol by symbol, and where the next page begins."""
        symbols = sorted(query["symbols"].split(","))
        start, end, limit = _time(query, "start", 0), _time(query, "end", SIGNED), _limit(query)
        first, after = _place(query["page_token"]) if "page_token" in query else (symbols[0], None)
        told: dict[str, list[bytes]] = {}
        for symbol in (one for one in symbols if one >= first):
            rows = _between(rows_of(symbol), start, end, after if symbol == first else None)
            for row in rows[:limit]:
                told.setdefault(symbol, []).append(row.raw)
                if row.fact:
                    self.given_out.count(row.fact)
            if len(rows) > limit:
                return _written(name, told, _token(symbol, rows[limit - 1]))
            limit -= len(rows)
            if limit == 0 and rows and symbol != symbols[-1]:
                return _written(name, told, _token(symbol, rows[-1]))
        return _written(name, told, None)


def _between(rows: list[Row], start_ns: int, end_ns: int, after: tuple[int, str, int] | None) -> list[Row]:
    begin = bisect_left(rows, start_ns, key=lambda row: row.at_ns)
    if after is not None:
        begin = max(begin, bisect_right(rows, after, key=lambda row: row.place))
    return rows[begin : bisect_right(rows, end_ns, key=lambda row: row.at_ns)]


def _written(name: str, told: dict[str, list[bytes]], token: str | None) -> bytes:
    found = {symbol: [msgspec.Raw(raw) for raw in rows] for symbol, rows in told.items()}
    return msgspec.json.encode({name: found, "next_page_token": token})


def _token(symbol: str, row: Row) -> str:
    parts = (symbol, time_text(row.at_ns), *([row.exchange] if row.exchange else []), f"{row.number + SIGNED:020d}")
    return base64.b64encode("|".join(parts).encode()).decode()


def _place(token: str) -> tuple[str, tuple[int, str, int]]:
    try:
        symbol, at, *exchange, number = base64.b64decode(token).decode().split("|")
        return symbol, (time_ns(at), exchange[0] if exchange else "", int(number) - SIGNED)
    except (ValueError, binascii.Error) as error:
        raise Refused(400, "invalid page_token") from error


def _time(query: dict[str, str], name: str, default: int) -> int:
    try:
        return time_ns(query[name]) if name in query else default
    except ValueError as error:
        raise Refused(400, f"invalid {name}: {query[name]}") from error


def _limit(query: dict[str, str]) -> int:
    text = query.get("limit", str(DEFAULT_ROWS))
    if not text.isdigit() or not 1 <= int(text) <= MOST_ROWS:
        raise Refused(400, f"invalid limit: {text}")
    return int(text)
