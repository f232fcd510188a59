"""
Trades that somebody wants fetched again: which wishes stand in Redis, and which ids need not be looked for any more.

A wish says which ids stand in ClickHouse. What was fetched since, and is still on its way there, only the ingester
knows: the ids of every hole that was closed lately are kept in its state. So a wish that is repeated, or that a kill
has cut in two, brings no trade twice.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec

from common.wishes import Wish, backfill_key, wish_of
from ingesters.feed import Forget, Frame, Recall

EVERY_S = 2.0
MOST_SETTLED = 200  # the oldest is in ClickHouse long since

Part = tuple[int, int]


class Settled(msgspec.Struct, omit_defaults=True):
    """Ids that were had, or that the venue does not have, and the wish that wanted them."""

    symbol: str
    first: int = 0
    stop: int = 0
    wish: str = ""


class News(NamedTuple):
    """What the set says: words that are done with, and a wish that nobody has begun."""

    forget: Forget | None
    wish: Wish | None


_decode = msgspec.json.Decoder(list[Settled]).decode


class Wishes:
    """The wishes of one program; one at a time is looked into."""

    def __init__(self, program: str, text: str) -> None:
        self.key = backfill_key(program)
        self.located: Wish | None = None  # the one whose ids are being asked for
        self._settled = _decode(text) if text else []

    @property
    def recall(self) -> Recall:
        """Return the question for the set."""
        return Recall(self.key, after_s=EVERY_S)

    @property
    def text(self) -> str:
        """Return what survives."""
        return msgspec.json.encode(self._settled).decode()

    def hear(self, frame: Frame, taken: Collection[str]) -> News:
        """Take the set; `taken` are the names of the wishes under way."""
        done = {one.wish for one in self._settled if one.wish}
        words = {word: wish_of(word) for word in frame.payload.decode().split("\n") if word}
        over = tuple(word for word, wish in words.items() if wish is None or wish.id in done)
        waiting = [wish for wish in words.values() if wish and wish.id not in done and wish.id not in taken]
        if self.located is not None or not waiting:
            return News(Forget(self.key, over) if over else None, None)
        self.located = min(waiting, key=lambda wish: (wish.from_ns, wish.id))
        return News(Forget(self.key, over) if over else None, self.located)

    def is_done(self, name: str) -> bool:
        """Return whether a wish was settled lately."""
        return any(one.wish == name for one in self._settled)

    def settle(self, symbol: str, parts: Iterable[Part], wish: str = "") -> None:
        """Look for these ids no longer; a wish is done with."""
        self._settled += [Settled(symbol, first, stop) for first, stop in parts]
        if wish:
            self._settled.append(Settled(symbol, wish=wish))
        self._settled = self._settled[-MOST_SETTLED:]

    def settled(self, symbol: str) -> list[Part]:
        """Return the ids of a symbol that were settled lately."""
        return [(one.first, one.stop) for one in self._settled if one.symbol == symbol and one.stop > one.first]

    def forget(self, symbol: str) -> None:
        """Hear that a symbol's numbering has begun again."""
        self._settled = [one for one in self._settled if one.symbol != symbol or one.wish]


def without(part: Part, taken: Iterable[Part]) -> list[Part]:
    """Return what is left of some ids, in ascending parts."""
    left = [part]
    for start, stop in taken:
        left = [
            piece
            for first, last in left
            for piece in ((first, min(last, start)), (max(first, stop), last))
            if piece[0] < piece[1]
        ]
    return sorted(left)
