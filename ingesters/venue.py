"""The declaration of a venue's program: which feed, when it is on, where its records go, what the venue allows."""

from collections.abc import Callable
from dataclasses import dataclass

from common.settings import Settings
from common.streams import Stream
from ingesters.feed import Feed, Resume


@dataclass(frozen=True)
class Budget:
    """
    What a venue lets one address ask: `weight` in every window of `window_s`, shared by all of its processes.

    `slow_down` are statuses that mean "too much" at this venue, beside 418 and 429. Where a header of its answers,
    `told`, says what the running window has cost everybody at this address, `limit` is what it may cost.
    """

    weight: int
    window_s: int
    slow_down: tuple[int, ...] = ()
    told: str = ""
    limit: int = 0


@dataclass(frozen=True)
class Venue:
    """
    A program that records one venue.

    `topics` are the streams it may append to, `state` the names of the strings that survive a restart. A socket without
    any byte for `dead_s` is dead, one with nothing but pings for `mute_s` is mute: both are dialled again. A question
    may go without a byte of its answer for `answer_s`. `recorded_as` is the venue's name in recordings, if another.
    With `has_spares` each socket has a twin: only where what is told has numbers, and where the venue allows two.
    """

    program: str
    name: str
    feed: Callable[[Settings, Resume], Feed]
    why_disabled: Callable[[Settings], str | None]
    topics: tuple[Stream, ...]
    budget: Budget
    state: tuple[str, ...] = ()
    dead_s: float = 60.0
    answer_s: float = 30.0
    recorded_as: str = ""
    mute_s: Callable[[Settings], float] = lambda _: 300.0
    has_spares: Callable[[Settings], bool] = lambda _: False
