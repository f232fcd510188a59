"""Goldsky from recordings: every event of the recorded pages, visible when its second has come."""

from contextlib import suppress
from typing import Any

import msgspec

from common.clock import NS_PER_S
from simulator.fills import Block, Fill, Fills, block_at
from simulator.timeline import SessionClock, Timeline, runs
from simulator.venue import UNREADABLE, Session

OK = 200
NAMES = (
    *("id", "timestamp", "transactionHash", "orderHash", "maker", "taker", "makerAssetId", "takerAssetId"),
    *("makerAmountFilled", "takerAmountFilled", "fee"),
)
LONGEST_PAUSE_NS = 60 * NS_PER_S


class Page(msgspec.Struct):
    """A recorded answer; other queries than ours have no such list."""

    data: dict[str, Any] | None = None


class Recording:
    """Recorded events behind a head that moves on."""

    def __init__(self, session: Session) -> None:
        self.fills = Fills(_events(session))
        times_ns = [int(fill["timestamp"]) * NS_PER_S for fill in self.fills.between(0, self.fills.last_timestamp())]
        self._clock = SessionClock(Timeline(runs(times_ns, LONGEST_PAUSE_NS)), session.speed)

    def begin(self) -> None:
        """Start the session's clock."""
        self._clock.start()

    def head(self) -> Block:
        """Return the block of the session's second; at full speed all is indexed and the head goes on from there."""
        if self._clock.is_unpaced:
            return block_at(self.fills.last_timestamp() + int(self._clock.elapsed_s()))
        return block_at(self._clock.recorded_now_ns() // NS_PER_S)

    async def live(self) -> None:
        """Do nothing: a recording needs no life of its own."""


def _events(session: Session) -> list[Fill]:
    events: list[Fill] = []
    for recorded in session.events:
        if recorded.event.direction == "in" and recorded.event.status == OK:
            with suppress(*UNREADABLE):  # an answer that is none leads to nothing
                data = msgspec.json.decode(recorded.event.body(), type=Page).data or {}
                events += filter(_is_whole, data["orderFilledEvents"])
    return events


def _is_whole(row: Any) -> bool:  # noqa: ANN401  (whatever was recorded)
    """Return whether a row is a whole event: other questions ask for other fields, and nobody knows the rest."""
    is_row = isinstance(row, dict) and all(isinstance(row.get(name), str) for name in NAMES)
    return is_row and row["timestamp"].isdecimal()
