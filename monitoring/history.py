"""The last quarter of an hour of every counter and gauge: what rates and sparklines are made of."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

RATE_OVER_S = 10.0
FINE_S = 70.0  # enough for a rate per minute
STEP_S = 10.0
KEPT_S = 900.0


@dataclass(frozen=True)
class Sample:
    """Counters (they only grow) and gauges, by name, at one instant of a clock that never steps."""

    at_s: float
    counters: Mapping[str, float]
    gauges: Mapping[str, float]


@dataclass
class History:
    """Samples: every one for a minute, then one in ten seconds."""

    _fine: deque[Sample] = field(default_factory=deque)
    _coarse: deque[Sample] = field(default_factory=lambda: deque(maxlen=round(KEPT_S / STEP_S) + 1))

    def add(self, sample: Sample) -> bool:
        """Remember a sample that is newer than all before; return whether the trends have a new step."""
        self._fine.append(sample)
        while sample.at_s - self._fine[0].at_s > FINE_S:
            self._fine.popleft()
        if not self._coarse or sample.at_s - self._coarse[-1].at_s >= STEP_S:
            self._coarse.append(sample)
            return True
        return False

    def rate_per_s(self, name: str, over_s: float = RATE_OVER_S) -> float | None:
        """
        Return how fast a counter grew lately; None while it is too young to say, or right after it started again.

        The newest sample that has it is the end: a figure that stopped coming has no rate.
        """
        if not self._fine or name not in self._fine[-1].counters:
            return None
        newest = self._fine[-1]
        oldest = next((s for s in self._fine if newest.at_s - s.at_s <= over_s + 0.5 and name in s.counters), newest)
        span_s, grown = newest.at_s - oldest.at_s, newest.counters[name] - oldest.counters[name]
        return grown / span_s if span_s >= 1 and grown >= 0 else None

    def rates(self, over_s: float = RATE_OVER_S) -> dict[str, float]:
        """Return the rate of every counter that has one, per second."""
        names = self._fine[-1].counters if self._fine else ()
        found = {name: self.rate_per_s(name, over_s) for name in names}
        return {name: rate for name, rate in found.items() if rate is not None}

    def trends(self) -> dict[str, tuple[float | None, ...]]:
        """
        Return each name's past, oldest first: a counter's rate per second in each step, a gauge's level at its end.

        None where it is not known.
        """
        steps = list(pairwise(self._coarse))
        growing = {name for sample in self._coarse for name in sample.counters}
        levelled = {name for sample in self._coarse for name in sample.gauges}
        rates = {name: tuple(_between(before, after, name) for before, after in steps) for name in growing}
        levels = {name: tuple(after.gauges.get(name) for _, after in steps) for name in levelled}
        return {**rates, **levels}


def _between(before: Sample, after: Sample, name: str) -> float | None:
    if name not in before.counters or name not in after.counters:
        return None
    grown = after.counters[name] - before.counters[name]
    return grown / (after.at_s - before.at_s) if grown >= 0 else None
