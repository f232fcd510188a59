"""Which symbols a feed records: those of the settings, or while it runs those that a set in Redis names."""

from collections.abc import Sequence
from typing import NamedTuple

from common.streams import symbols_key
from ingesters.feed import Frame, Recall

EVERY_S = 3.0  # a change takes effect within five


class Change(NamedTuple):
    """What a new choice changes, each in the order in which it was given."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


class Chosen:
    """The symbols of one ingester, and what a new choice of them changes."""

    def __init__(self, program: str, configured: Sequence[str]) -> None:
        self.key = symbols_key(program)
        self.symbols = tuple(dict.fromkeys(configured))
        self._configured = self.symbols

    @property
    def recall(self) -> Recall:
        """Return the question for the set; while that is empty, the settings count."""
        return Recall(self.key, after_s=EVERY_S)

    def hear(self, frame: Frame) -> Change:
        """Take the answer; return what has changed since the last one."""
        named = sorted(frame.payload.decode().split("\n")) if frame.payload else []
        before, self.symbols = self.symbols, tuple(named) or self._configured
        return Change(
            added=tuple(symbol for symbol in self.symbols if symbol not in before),
            removed=tuple(symbol for symbol in before if symbol not in self.symbols),
        )
