"""What was published and what was sent: the truth that tests and chaos runs compare with."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from simulator.faults import Faults

Facts = dict[str, Any]
SCALE = 10**8


def scaled(text: str) -> int:
    """Return a decimal text times 10^8: sums of integers are exact and quick."""
    return int(Decimal(text).scaleb(8))


def plain(number: int, scale: int) -> str:
    """Return a scaled integer as decimal text without trailing zeros."""
    text = f"{Decimal(number) / scale:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class Ranges:
    """A set of integers kept as closed ranges: numbers that come in order cost next to nothing."""

    def __init__(self) -> None:
        self.spans: list[list[int]] = []

    def add(self, first: int, last: int) -> bool:
        """Add all numbers from first to last; return whether any of them was new."""
        spans = self.spans
        if spans and first == spans[-1][1] + 1:
            spans[-1][1] = last
            return True
        if not spans or first > spans[-1][1]:
            spans.append([first, last])
            return True
        return self._insert(first, last)

    def holes(self) -> list[list[int]]:
        """Return the ranges missing between the first and the last number."""
        return [[before[1] + 1, after[0] - 1] for before, after in pairwise(self.spans)]

    def _insert(self, first: int, last: int) -> bool:
        start = bisect_left(self.spans, first - 1, key=lambda span: span[1])
        stop = start
        while stop < len(self.spans) and self.spans[stop][0] <= last + 1:
            stop += 1
        touched = self.spans[start:stop]
        if len(touched) == 1 and touched[0][0] <= first and last <= touched[0][1]:
            return False
        self.spans[start:stop] = [[min([first, *(s[0] for s in touched)]), max([last, *(s[1] for s in touched)])]]
        return True


class Fact(NamedTuple):
    """What a message means for the ledger: the ids it covers and, for a trade, its numbers times 10^8."""

    symbol: str
    kind: str
    first_id: int = 0
    last_id: int = 0
    price: int = 0
    size: int = 0
    taker_buys: bool = False


class Tally:
    """Messages of one kind, distinct by the ids they cover."""

    def __init__(self) -> None:
        self.messages = 0
        self.distinct = 0
        self.ids = Ranges()
        self.size = self.notional = self.taker_buy_size = 0

    def count(self, fact: Fact) -> None:
        """Count one message."""
        self.messages += 1
        if fact.last_id and not self.ids.add(fact.first_id, fact.last_id):
            return
        self.distinct += 1
        self.size += fact.size
        self.notional += fact.price * fact.size
        self.taker_buy_size += fact.size if fact.taker_buys else 0

    def facts(self) -> Facts:
        """Return the figures; sums are over distinct trades."""
        facts: Facts = {"messages": self.messages, "distinct": self.distinct}
        if self.ids.spans:
            facts |= {"first_id": self.ids.spans[0][0], "last_id": self.ids.spans[-1][1], "holes": self.ids.holes()}
        if self.size:
            facts |= {
                "sum_qty": plain(self.size, SCALE),
                "sum_price_x_qty": plain(self.notional, SCALE * SCALE),
                "taker_buy_qty": plain(self.taker_buy_size, SCALE),
            }
        return facts


class Book:
    """One side of the story (published, sent, answered by REST), per symbol and kind."""

    def __init__(self) -> None:
        self._tallies: defaultdict[tuple[str, str], Tally] = defaultdict(Tally)

    def count(self, fact: Fact) -> None:
        """Count one message under its symbol and kind."""
        self._tallies[fact.symbol, fact.kind].count(fact)

    def facts(self) -> Facts:
        """Return symbol -> kind -> figures."""
        symbols: defaultdict[str, Facts] = defaultdict(dict)
        for (symbol, kind), tally in sorted(self._tallies.items()):
            symbols[symbol][kind] = tally.facts()
        return dict(symbols)


class Ledger:
    """All venues' figures on one page, with the faults that were carried out."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._venues: dict[str, Callable[[bool], Facts]] = {}

    def open(self, venue: str, facts: Callable[[bool], Facts]) -> None:
        """Let a venue tell its figures; it is asked whether ids are wanted one by one."""
        self._venues[venue] = facts

    def facts(self, *, ids: bool = False) -> Facts:
        """Return venue -> figures, and "faults" -> what was carried out, oldest first."""
        page = {venue: tell(ids) for venue, tell in self._venues.items()}
        return page | {"faults": msgspec.to_builtins(self._faults.executed)}
