"""What the rules look at, gathered look by look: what a single snapshot cannot tell is remembered here."""

import shutil
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping

from common.clock import NS_PER_S, now_ns
from common.readings import ProcessReading
from common.settings import Settings
from monitoring.alert_terms import Facts
from monitoring.overview import House, overview
from monitoring.supervised import Supervised
from monitoring.verdicts import full_in_s
from monitoring.watch import Snapshot

SPAN_NS = 600 * NS_PER_S  # gaps and restarts are counted over ten minutes
DISK_STEP_S = 10
DISK_STEPS = 90  # a quarter of an hour
GAPS = "feed_events_total|gap"


class Gathering:
    """The looks of the last minutes, as far as rules ask about them."""

    def __init__(self, settings: Settings, house: House) -> None:
        self._data_dir = settings.data_dir
        self._house = house
        self._lives: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=20))
        self._counted: dict[str, float] = {}
        self._gaps: defaultdict[str, deque[tuple[int, float]]] = defaultdict(deque)
        self._used: deque[float] = deque(maxlen=DISK_STEPS)
        self._used_at_ns = 0

    def facts(
        self, shot: Snapshot, programs: Mapping[str, Supervised], crashed: Mapping[str, int] | None = None
    ) -> Facts:
        """
        Return what a snapshot and Supervisor say, with what was seen before.

        Where nobody has counted who `crashed`, lives are counted that were long enough to be seen, also those that a
        person ended.
        """
        at_ns = now_ns()
        reading = shot.redis if shot.redis_problem is None else None
        processes = reading.processes if reading else ()
        self._remember(processes, at_ns)
        free, full_s = self._disk(at_ns)
        return Facts(
            view=overview(shot, at_ns, self._house),
            memory_used=reading.used_bytes / reading.max_bytes if reading and reading.max_bytes else None,
            disk_free=free,
            disk_full_s=full_s,
            clock_skew_s=(reading.server_ns - reading.read_ns) / NS_PER_S if reading else None,
            spooled={one.name: one.figures.get("spool_bytes", 0.0) for one in processes},
            restarts=crashed if crashed is not None else self._restarts(at_ns),
            gaps={venue: _sum(counted) for venue, counted in self._gaps.items()},
            records={one.name: one.total("records_total") or 0 for one in (*shot.gone.values(), *processes)},
            programs=programs,
        )

    def _restarts(self, at_ns: int) -> dict[str, int]:
        return {name: _recent(lives, at_ns) for name, lives in self._lives.items()}

    def _remember(self, processes: Iterable[ProcessReading], at_ns: int) -> None:
        for one in processes:
            lives, started_ns = self._lives[one.name], one.figures.get("started_ns", 0.0)
            if started_ns and started_ns not in lives:
                lives.append(started_ns)
            self._count_gaps(one, at_ns)

    def _count_gaps(self, process: ProcessReading, at_ns: int) -> None:
        """Count what has come since the last look; a process that began again counts from zero."""
        now, before = process.figures.get(GAPS, 0.0), self._counted.get(process.name)
        self._counted[process.name] = now
        counted = self._gaps[process.fact("venue")]
        if before is not None and now != before:
            counted.append((at_ns, now - before if now > before else now))
        while counted and at_ns - counted[0][0] > SPAN_NS:
            counted.popleft()

    def _disk(self, at_ns: int) -> tuple[float | None, float | None]:
        """Return the share of the disk that is free, and when it will be full if it goes on like this."""
        try:
            usage = shutil.disk_usage(self._data_dir)
        except OSError:
            return None, None
        if at_ns - self._used_at_ns >= DISK_STEP_S * NS_PER_S:
            self._used.append(float(usage.used))
            self._used_at_ns = at_ns
        left_s = full_in_s(self._used, step_s=DISK_STEP_S, limit=usage.used + usage.free)
        return usage.free / usage.total, left_s


def _recent(started_ns: Iterable[float], at_ns: int) -> int:
    """Return how often a process was started again in the last ten minutes."""
    return max(0, sum(at_ns - start_ns < SPAN_NS for start_ns in started_ns) - 1)


def _sum(counted: Iterable[tuple[int, float]]) -> int:
    return round(sum(count for _, count in counted))
