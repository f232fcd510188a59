"""Which of several recorded sockets tells of something: one at a time, the next one where that ends."""

from collections import defaultdict
from collections.abc import Hashable

from common.clock import NS_PER_S
from simulator.capture import Event

TOGETHER_NS = 5 * NS_PER_S  # sockets dialled, or ended, within it were meant to stand side by side

Life = tuple[int, int]


class Turns:
    """
    The sockets of one recorded session, each from its first message to its last, and what they told of.

    Of those that told of the same at one time the one that was there first is heard, and of those dialled together the
    first by name. When it ends the next one is heard from there on, whole if it was not there before.
    """

    def __init__(self) -> None:
        self._lives: dict[str, Life] = {}
        self._tellers: defaultdict[Hashable, set[str]] = defaultdict(set)
        self._turns: dict[Hashable, dict[str, Life]] = {}

    def note(self, event: Event, what: Hashable) -> None:
        """Take note of a message; they come in their order."""
        first_ns, _ = self._lives.get(event.connection, (event.received_ns, 0))
        self._lives[event.connection] = first_ns, event.received_ns
        self._tellers[what].add(event.connection)

    def has(self, event: Event, what: Hashable) -> bool:
        """Return whether it is this message's socket that tells, once all are noted."""
        turns = self._turns.get(what)
        if turns is None:
            turns = self._turns[what] = _in_turn({name: self._lives[name] for name in self._tellers[what]})
        from_ns, to_ns = turns.get(event.connection, (1, 0))
        return from_ns <= event.received_ns <= to_ns


def _in_turn(lives: dict[str, Life]) -> dict[str, Life]:
    turns: dict[str, Life] = {}
    end_ns = -1 - TOGETHER_NS
    while left := {name: life for name, life in lives.items() if life[1] > end_ns + TOGETHER_NS}:
        earliest_ns = max(end_ns, min(first_ns for first_ns, _ in left.values()))
        name = min(name for name, (first_ns, _) in left.items() if first_ns <= earliest_ns + TOGETHER_NS)
        first_ns, last_ns = lives[name]
        turns[name] = max(first_ns, end_ns + 1), last_ns
        end_ns = last_ns
    return turns
