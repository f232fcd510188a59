"""Where the walks over Gamma's markets stand, and what of them is news."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, Self
from urllib.parse import urlencode

import msgspec

from common.codec import Origin, dead_letter
from common.records import DeadLetter, Market
from common.streams import MARKETS
from ingesters.venues.gamma import OFFSET, VENUE, read_market

PROGRAM = "polymarket_ingester"
PAGE_MARKETS = 100  # Gamma cuts longer pages to this without a word

Stage = Literal["open", "closed", "recent"]

# `closed` is always said: what Gamma assumes without it has changed. Only ids never move, so the long walks follow
# them; the short one asks for what closed last. Names that Gamma does not know it ignores in silence.
FILTERS: dict[Stage, dict[str, str]] = {
    "open": {"closed": "false", "order": "id", "ascending": "true"},
    "closed": {"closed": "true", "order": "id", "ascending": "true"},
    "recent": {"closed": "true", "order": "closedTime", "ascending": "false"},
}


@dataclass(frozen=True)
class Progress:
    """
    How far the fleet has come with all markets, as it is kept under `polymarket_cursor`.

    Open markets are walked first, because trades need them at once and they are few; then the closed ones, a hundred
    times as many; after that only what closed lately is read. `stage` is the first walk that is not complete and
    `cursor` its place; `newest_id` the newest open market, `since_s` when the walk over the closed ones began, or
    the last time at which a market is known to have closed.
    """

    stage: Stage = "open"
    newest_id: str = "0"
    since_s: int = 0
    cursor: str = ""

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return what `text` wrote; no text is the very beginning."""
        if not text:
            return cls()
        stage, newest_id, since_s, cursor = text.split(":", 3)
        if stage not in FILTERS:
            raise ValueError(f"expected one of {', '.join(FILTERS)}, found {stage!r}")
        return cls(stage, newest_id, int(since_s), cursor)

    def text(self) -> str:
        """Return it as one line that a person can read."""
        return f"{self.stage}:{self.newest_id}:{self.since_s}:{self.cursor}"

    def begun(self, stage: Stage, since_s: int) -> Self:
        """Return the beginning of the next walk."""
        return replace(self, stage=stage, since_s=since_s, cursor="")

    def start(self, stage: Stage, prefix: str = "") -> str:
        """Return where a walk goes on: at the place kept for it, if that is one of the wanted endpoint."""
        is_kept = self.stage == stage and self.cursor.startswith(OFFSET) == bool(prefix)
        return self.cursor if is_kept else prefix and f"{prefix}0"

    def is_new(self, market_id: str) -> bool:
        """Return whether an open market is newer than all before; ids are numbers that grow with creation."""
        return (len(market_id), market_id) > (len(self.newest_id), self.newest_id)


def page_url(base: str, stage: Stage, cursor: str) -> str:
    """Return the address of one page of a walk."""
    query = {"limit": str(PAGE_MARKETS), **FILTERS[stage]}
    if cursor.startswith(OFFSET):
        return f"{base}/markets?{urlencode({**query, 'offset': cursor.removeprefix(OFFSET)})}"
    return f"{base}/markets/keyset?{urlencode({**query, 'after_cursor': cursor} if cursor else query)}"


class Reading(NamedTuple):
    """The markets of a page, and whole what could not be read as one."""

    markets: list[Market]
    unreadable: list[DeadLetter]

    def closed_since(self, from_ns: int) -> Self:
        """Leave out the markets that closed before."""
        markets = [market for market in self.markets if market.closed_ns is None or market.closed_ns >= from_ns]
        return self._replace(markets=markets)


def closing_times_ns(reading: Reading) -> list[int]:
    """Return when the markets of a page closed, where Gamma says it."""
    return [market.closed_ns for market in reading.markets if market.closed_ns is not None]


def read_objects(objects: list[bytes], received_ns: int) -> Reading:
    """Read each object by itself: one bad market does not lose the others."""
    reading = Reading([], [])
    for raw in objects:
        try:
            reading.markets.append(read_market(raw, received_ns))
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, ArithmeticError) as error:
            # The place is the same each time: what is read again in the next walk is no second letter.
            origin = Origin(PROGRAM, MARKETS.key(0, 1), place="gamma", received_ns=received_ns, venue=VENUE)
            reading.unreadable.append(dead_letter(raw, origin, reason=f"{type(error).__name__}: {error}"))
    return reading


class News:
    """
    What was told of each market, as 64 bits: a market is told again only when something of it has changed.

    A walk from end to end forgets what it did not meet, so memory is bounded by the markets that are there.
    """

    def __init__(self) -> None:
        self._told: dict[str, int] = {}
        self._met: dict[str, int] = {}

    def __contains__(self, market_id: str) -> bool:
        return market_id in self._told or market_id in self._met

    def of(self, reading: Reading) -> Iterator[Market | DeadLetter]:
        """Yield what is new or has changed."""
        for market in reading.markets:
            # Gamma touches updatedAt without changing anything that we keep.
            content = hash(msgspec.structs.replace(market, received_ns=0, event_ns=None))
            if self._is_changed(market.market_id, content):
                yield market
        for letter in reading.unreadable:
            if self._is_changed(letter.id, 0):
                yield letter

    def close_walk(self) -> None:
        """Forget what the walk did not meet."""
        self._told, self._met = self._met, {}

    def _is_changed(self, key: str, content: int) -> bool:
        known = self._met.get(key, self._told.get(key))
        self._met[key] = content
        return known != content


@dataclass
class Walk:
    """One walk: the page that was asked for, the last one that held markets, and what it has told."""

    cursor: str = ""
    last_page: str = ""
    is_whole: bool = True  # from the first market on, not only the last page
    ended_ns: int = 0
    newest_ns: int = 0
    news: News = field(default_factory=News)

    def end(self, now_ns: int, *, again_after_ns: int) -> None:
        """Close the walk, and settle whether the next one is whole."""
        if self.is_whole:
            self.news.close_walk()
            self.ended_ns = now_ns
        self.is_whole = now_ns - self.ended_ns >= again_after_ns
