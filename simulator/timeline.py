"""When a recorded moment is due: recorded time, without the dead time between sessions, divided by the speed."""

import math
from bisect import bisect_right
from collections.abc import Iterable

from common.clock import NS_PER_S, monotonic_s

PAUSE_BETWEEN_SESSIONS_NS = NS_PER_S


def runs(times_ns: Iterable[int], longest_pause_ns: int) -> list[tuple[int, int]]:
    """Return the stretches of sorted moments that have no pause longer than the given one."""
    spans: list[tuple[int, int]] = []
    for at_ns in times_ns:
        if spans and at_ns - spans[-1][1] <= longest_pause_ns:
            spans[-1] = (spans[-1][0], at_ns)
        else:
            spans.append((at_ns, at_ns))
    return spans


class Timeline:
    """
    Recorded moments on one session clock.

    Recordings made years apart follow each other after one second; those made at the same time run
    side by side.
    """

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        self._starts_ns: list[int] = []
        self._offsets_ns: list[int] = []
        end_ns = 0
        for start_ns, stop_ns in sorted(spans):
            if not self._starts_ns:
                self._begin(start_ns, 0)
            elif start_ns > end_ns + PAUSE_BETWEEN_SESSIONS_NS:
                self._begin(start_ns, self.session_ns(end_ns) + PAUSE_BETWEEN_SESSIONS_NS)
            end_ns = max(end_ns, stop_ns)

    def _begin(self, start_ns: int, offset_ns: int) -> None:
        self._starts_ns.append(start_ns)
        self._offsets_ns.append(offset_ns)

    def session_ns(self, recorded_ns: int) -> int:
        """Return nanoseconds of undisturbed session before a recorded moment."""
        index = max(bisect_right(self._starts_ns, recorded_ns) - 1, 0)
        return self._offsets_ns[index] + recorded_ns - self._starts_ns[index]

    def recorded_ns(self, session_ns: int) -> int:
        """Return the recorded moment reached after so much session; the last session never ends."""
        if not self._starts_ns:
            return 0
        index = max(bisect_right(self._offsets_ns, session_ns) - 1, 0)
        return self._starts_ns[index] + session_ns - self._offsets_ns[index]


class SessionClock:
    """The clock of one venue's replay; it stands still until the first client asks for something."""

    def __init__(self, timeline: Timeline, speed: float) -> None:
        self._timeline = timeline
        self._speed = speed
        self._started_s: float | None = None

    @property
    def is_unpaced(self) -> bool:
        """Return whether the session is played as fast as it is taken."""
        return math.isinf(self._speed)

    def start(self) -> None:
        """Start, if it does not run already."""
        if self._started_s is None:
            self._started_s = monotonic_s()

    def elapsed_s(self) -> float:
        """Return wall-clock seconds since the session started, 0 before."""
        return 0.0 if self._started_s is None else monotonic_s() - self._started_s

    def wait_s(self, recorded_ns: int) -> float:
        """Return how long a recorded moment is still off, 0 or less when it is due."""
        if self.is_unpaced:
            return 0.0
        return self._timeline.session_ns(recorded_ns) / NS_PER_S / self._speed - self.elapsed_s()

    def recorded_now_ns(self) -> int:
        """Return the newest recorded moment that is due; only meaningful at a finite speed."""
        return self._timeline.recorded_ns(int(self.elapsed_s() * self._speed * NS_PER_S))
