"""
Whether each subscription still brings something: quiet, mute and dead are different words.

- *Quiet*: nothing came for a while, as is usual for this channel of this symbol. Nothing is done.
- *Mute*: others speak, and this one has been silent for much longer than it ever was, or it was acknowledged and never
  said a word. It is subscribed to again, told as `stale`, and as `resync` when it speaks; if that does not help, again
  after ever longer pauses.
- *Dead*: nothing speaks at all. That is the loop's business (`mute_s`, `dead_s`): the socket is dialled again.
"""

from collections.abc import Hashable, Iterator, Mapping

from common.clock import NS_PER_S
from common.records import EventKind, FeedEvent

LOOK_S = 5.0
USUAL = 10  # times the longest silence there was
LONGEST_PAUSE_NS = 3600 * NS_PER_S

Place = tuple[str, str]  # channel and symbol


class Beat:
    """
    One subscription: where it stood when it was last seen to move, and how long it has been silent.

    Only time in which others spoke is counted: a night in which a market is closed is no silence.
    """

    def __init__(self, mark: Hashable, now_ns: int) -> None:
        self.mark = mark
        self.heard_ns = now_ns
        self.silent_ns = 0
        self.longest_ns = 0
        self.tries = 0
        self.due_ns = 0  # of silence, when it is asked for again

    def move(self, mark: Hashable, now_ns: int) -> bool:
        """Take note that it spoke; return whether it was mute."""
        was_mute = self.tries > 0
        if not was_mute:
            self.longest_ns = max(self.longest_ns, self.silent_ns)
        self.mark, self.heard_ns, self.silent_ns, self.tries, self.due_ns = mark, now_ns, 0, 0, 0
        return was_mute


class Pulse:
    """The subscriptions of one connection; `least_s` tells for how long each channel may be silent in any case."""

    def __init__(self, venue: str, least_s: Mapping[str, float]) -> None:
        self._venue = venue
        self._least_ns = {channel: int(seconds * NS_PER_S) for channel, seconds in least_s.items()}
        self._fresh_ns = min(int(2 * LOOK_S * NS_PER_S), *(least_ns // 2 for least_ns in self._least_ns.values()))
        self._beats: dict[Place, Beat] = {}
        self._spoke_ns = 0
        self._looked_ns: int | None = None
        self.mute: list[Place] = []  # to be subscribed to again, after the last look

    @property
    def every_s(self) -> float:
        """Return how often to look."""
        return min(LOOK_S, min(self._least_ns.values()) / NS_PER_S / 2)

    def look(self, marks: Mapping[Place, Hashable], now_ns: int) -> Iterator[FeedEvent]:
        """Compare where every subscription stands with where it stood; yield what has become mute, or speaks again."""
        self._beats = {place: self._beats.get(place) or Beat(mark, now_ns) for place, mark in marks.items()}
        self.mute = []
        passed_ns = min(now_ns - (now_ns if self._looked_ns is None else self._looked_ns), self._fresh_ns)
        self._looked_ns = now_ns
        moved = [place for place, mark in marks.items() if self._beats[place].mark != mark]
        for place in moved:
            beat, from_ns = self._beats[place], self._beats[place].heard_ns
            beat.silent_ns += passed_ns
            if beat.move(marks[place], now_ns):
                yield self._event("resync", place, (from_ns, now_ns), "it speaks again")
        self._spoke_ns = now_ns if moved else self._spoke_ns
        if now_ns - self._spoke_ns <= self._fresh_ns:  # else all are silent
            for place in self._beats.keys() - set(moved):
                yield from self._judge(place, self._beats[place], now_ns, passed_ns)

    def _judge(self, place: Place, beat: Beat, now_ns: int, passed_ns: int) -> Iterator[FeedEvent]:
        beat.silent_ns += passed_ns
        least_ns = self._least_ns[place[0]]
        if beat.silent_ns <= max(least_ns, USUAL * beat.longest_ns, beat.due_ns):
            return
        if not beat.tries:
            usual = (
                f"longest silence before: {beat.longest_ns / NS_PER_S:.0f} s" if beat.longest_ns else "no word so far"
            )
            detail = f"mute while others speak ({usual}): subscribed to again"
            yield self._event("stale", place, (beat.heard_ns, now_ns), detail)
        beat.tries += 1
        beat.due_ns = beat.silent_ns + min(LONGEST_PAUSE_NS, least_ns * 2**beat.tries)
        self.mute.append(place)

    def _event(self, kind: EventKind, place: Place, span: tuple[int, int], detail: str) -> FeedEvent:
        channel, symbol = place
        from_ns, to_ns = span
        return FeedEvent(
            self._venue, symbol, to_ns, channel=channel, kind=kind, from_ns=from_ns, to_ns=to_ns, detail=detail
        )
