"""The key figures of the last day, as this dashboard saw them: how far behind, how much came in, how full Redis is."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from common.readings import ProcessReading
from monitoring import stream_rows
from monitoring.counters import MEMORY
from monitoring.ranges import SECONDS
from monitoring.tracks import Ended, Track
from monitoring.watch import Snapshot

KINDS = {
    "lag_s": "seconds that the oldest uncommitted entry has waited, the worst of each step",
    "lag": "records that wait, the most of each step",
    "in": "records per second from each venue",
    "stream": "records per second appended to each stream",
    "rows": "rows per second of each table",
    "memory": "bytes that Redis uses",
}
PEAKING = ("lag_s", "lag")
FINE_S, FINE_KEPT = 10.0, 360
COARSE_S, COARSE_KEPT = 60.0, 1440
MOST_LINES = 8


@dataclass(frozen=True)
class Line:
    """One figure over time; None where it was not known."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Trends:
    """
    The lines of one kind of figure, the highest first, with the seconds since the epoch at which each step began.

    `hidden` lines were lower than those that are shown; `limit` is where an alert begins, None if none does. A day is
    remembered, also by the next dashboard.
    """

    kind: str
    about: str
    range: str
    step_s: float
    times: tuple[float, ...]
    lines: tuple[Line, ...]
    hidden: int
    limit: float | None = None


def figures_of(shot: Snapshot) -> dict[str, float]:
    """Return the key figures of a snapshot by name; none of a server that did not answer."""
    if shot.redis is None or shot.redis_problem is not None:
        return {}
    found: dict[str, float] = {}
    for group in stream_rows.groups(shot):
        for kind, value in (("lag_s", group.lag_s), ("lag", group.lag_records)):
            if value is not None:
                found[f"{kind}|{group.name} on {group.topic}"] = float(value)
    rates = {name: rate for name, rate in shot.rates_per_s.items() if name.startswith(("stream|", "rows|"))}
    return {**found, **rates, **_incoming(shot.redis.processes, shot.rates_per_s), MEMORY: float(shot.redis.used_bytes)}


def _incoming(processes: Iterable[ProcessReading], rates_per_s: Mapping[str, float]) -> dict[str, float]:
    """Return what comes in from each venue; its ingesters together."""
    found: defaultdict[str, float] = defaultdict(float)
    for process in processes:
        rate = rates_per_s.get(f"records_total|{process.name}")
        if process.fact("kind") == "ingester" and rate is not None:
            found[f"in|{process.fact('venue')}"] += rate
    return found


class Past:
    """What is remembered: an hour finely, a day by the minute."""

    def __init__(self) -> None:
        self._fine = Track(FINE_S, FINE_KEPT, PEAKING)
        self._coarse = Track(COARSE_S, COARSE_KEPT, PEAKING)

    def add(self, at_s: float, figures: Mapping[str, float]) -> Ended | None:
        """Remember the figures of one look, in seconds since the epoch; return the minute that it ends."""
        self._fine.add(at_s, figures)
        return self._coarse.add(at_s, figures)

    def fill(self, at_s: float, minutes: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> None:
        """Remember what an earlier dashboard saw: by name when each minute began, and its values."""
        for track in (self._fine, self._coarse):
            track.begin(at_s)
            for name, (starts_s, values) in minutes.items():
                track.fill(name, np.array(starts_s, np.float64), np.array(values, np.float64), COARSE_S)

    def trends(self, kind: str, span: str, only: str = "") -> Trends:
        """Return the lines of one kind over the newest `span`, of one name where it is given."""
        seconds = min(SECONDS[span], COARSE_S * COARSE_KEPT)
        track = self._fine if seconds <= FINE_S * FINE_KEPT else self._coarse
        steps = int(seconds // track.step_s)
        names = [name for name in track.names(kind) if only in ("", _label(name))]
        lines = [Line(_label(name), tuple(track.read(name, steps))) for name in names]
        lines = sorted((line for line in lines if any(value is not None for value in line.values)), key=_height)
        return Trends(
            kind=kind,
            about=KINDS[kind],
            range=span,
            step_s=track.step_s,
            times=tuple(track.starts_s(steps)),
            lines=tuple(lines[:MOST_LINES]),
            hidden=max(0, len(lines) - MOST_LINES),
        )


def _label(name: str) -> str:
    return name.partition("|")[2]


def _height(line: Line) -> tuple[float, str]:
    return -max(value for value in line.values if value is not None), line.name
