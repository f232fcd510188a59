"""Gamma as a list of markets, and an ingester that reads it."""

from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qs, urlsplit

import msgspec

from common.records import Market
from common.settings import Settings
from ingesters.feed import Fetch
from ingesters.venues.polymarket import PolymarketFeed
from tests.feed_loop import START_S, FeedLoop

__all__ = ["START_S", "Gamma", "Loop", "gamma_of", "market"]


def market(number: int, **told: object) -> dict[str, object]:
    """Return an open market as Gamma tells it; its tokens are `number`1 and `number`2."""
    return {
        "id": str(number),
        "question": f"Question {number}?",
        "conditionId": f"0x{number:064x}",
        "slug": f"question-{number}",
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": f'["{number}1", "{number}2"]',
        "active": True,
        "closed": False,
        "createdAt": "2026-03-26T14:44:34.145447Z",
        "volume": "12.5",
    } | told


@dataclass
class Gamma:
    """Answers as Gamma does, page by page."""

    markets: dict[str, dict[str, object]] = field(default_factory=dict)
    most: int = 100
    most_offset: int = 2000
    has_keyset: bool = True
    knows_after_cursor: bool = True
    knows_closed_time: bool = True
    refuses_cursors: bool = False

    def add(self, *markets: dict[str, object]) -> None:
        """Create or change markets."""
        self.markets |= {str(market["id"]): market for market in markets}

    def close(self, number: int, closed_time: str) -> None:
        """Close a market."""
        self.markets[str(number)] |= {"closed": True, "closedTime": closed_time}

    def answer(self, fetch: Fetch, _: int) -> tuple[int, bytes]:
        url = urlsplit(fetch.url)
        query = parse_qs(url.query)
        found = self._found(query)
        limit = min(int(query["limit"][0]), self.most)
        if url.path == "/markets":
            return self._by_offset(found, limit, int(query.get("offset", ["0"])[0]))
        if not self.has_keyset:
            return 404, b'{"type":"not found error"}'
        return self._by_keyset(found, limit, query.get("after_cursor", [""])[0])

    def _by_offset(self, found: list[dict[str, object]], limit: int, offset: int) -> tuple[int, bytes]:
        if offset > self.most_offset:
            return 422, b'{"type":"validation error","error":"offset too large, use /markets/keyset"}'
        return 200, msgspec.json.encode(found[offset : offset + limit])

    def _by_keyset(self, found: list[dict[str, object]], limit: int, cursor: str) -> tuple[int, bytes]:
        if cursor and self.refuses_cursors:
            return 422, b'{"type":"validation error","error":"invalid cursor"}'
        ids = [market["id"] for market in found]
        start = ids.index(cursor) + 1 if cursor and self.knows_after_cursor else 0
        page = found[start : start + limit]
        more = {"next_cursor": page[-1]["id"]} if start + limit < len(found) else {}
        return 200, msgspec.json.encode({"markets": page} | more)

    def _found(self, query: dict[str, list[str]]) -> list[dict[str, object]]:
        is_closed = query["closed"] == ["true"]
        tokens = query.get("clob_token_ids")
        found = [
            market
            for market in self.markets.values()
            if market["closed"] is is_closed
            and (tokens is None or any(f'"{token}"' in str(market["clobTokenIds"]) for token in tokens))
        ]
        found.sort(key=lambda market: int(str(market["id"])))
        if query.get("order") == ["closedTime"] and self.knows_closed_time:
            found.sort(key=lambda market: str(market["closedTime"]), reverse=True)
        return found


def gamma_of(count: int, **told: object) -> Gamma:
    """Return a Gamma with so many open markets, numbered from 1."""
    gamma = Gamma(**told)
    gamma.add(*(market(number) for number in range(1, count + 1)))
    return gamma


class Loop(FeedLoop):
    """The ingester of Gamma's markets."""

    def __init__(self, gamma: Gamma, **settings: object) -> None:
        self.gamma = gamma
        super().__init__(partial(PolymarketFeed, Settings(**settings)), gamma.answer)

    def markets(self) -> list[Market]:
        """Return all recorded markets, in the order of the stream."""
        return [record for record in self.records if isinstance(record, Market)]

    def ids(self) -> list[str]:
        """Return their ids."""
        return [market.market_id for market in self.markets()]

    def newest(self) -> dict[str, Market]:
        """Return the last state told of each market."""
        return {market.market_id: market for market in self.markets()}
