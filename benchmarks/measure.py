"""One way from the wire to a row, measured: how long, how much of whose CPU, and whether every trade came once."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from benchmarks.house import House, Source, wait_for
from benchmarks.trades import Totals, totals

GIVE_UP_S = 300.0
NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Path:
    """
    A way to measure: its processes by name, the table in which its rows end, and how to see that so many stand there.

    `is_done` asks Redis how far the consumer has come: asking ClickHouse all the time would cost what is measured.
    """

    name: str
    processes: Sequence[str]
    table: str
    is_done: Callable[[House, int], bool]
    digits: int  # behind the point to which the sum of notionals is exact: floats lose some


@dataclass(frozen=True)
class Figures:
    """What a way cost; `fault` says what was missing or doubled, empty when every trade stands exactly once."""

    name: str
    events: int
    wall_s: float
    cpu_us: Mapping[str, float]  # by process, for each event
    fault: str

    @property
    def us_per_event(self) -> float:
        """Return the CPU time of all processes for one event."""
        return sum(self.cpu_us.values())

    @property
    def per_cpu_s(self) -> float:
        """Return the events that one second of CPU carries."""
        return 1e6 / self.us_per_event

    @property
    def per_wall_s(self) -> float:
        """Return the events that one second carries."""
        return self.events / self.wall_s


def measure(house: House, venue: Source, path: Path, *, events: int, warm_up: int) -> Figures:
    """Return what it costs to bring `events` trades into the table, after a few that warm everything up."""
    carry(house, venue, path, count=warm_up, expected=warm_up)
    venue.tell(f"burst {events}")
    venue.answer()  # they are encoded
    before = house.cpu_s()
    first_ns = _send(house, venue, path, warm_up + events)
    wall_s = (time.time_ns() - first_ns) / NS_PER_S
    spent = {name: spent_s - before[name] for name, spent_s in house.cpu_s().items()}
    cpu_us = {name: spent[name] / events * 1e6 for name in path.processes}
    return Figures(path.name, events, wall_s, cpu_us, fault(house, path, totals(warm_up + events)))


def carry(house: House, venue: Source, path: Path, *, count: int, expected: int) -> None:
    """Let the source send some trades, and wait until all that were sent can be queried."""
    venue.tell(f"burst {count}")
    venue.answer()
    _send(house, venue, path, expected)


def _send(house: House, venue: Source, path: Path, expected: int) -> int:
    """Let the source send what it has encoded; return when the first was sent, once the last can be queried."""
    venue.tell("go")
    first_ns = int(venue.answer()["first_ns"])
    wait_for(lambda: path.is_done(house, expected), f"{expected:,} rows of {path.name}", give_up_s=GIVE_UP_S)
    return first_ns


def fault(house: House, path: Path, expected: Totals) -> str:
    """Return what differs between what was sent and what stands in the table; empty when nothing does."""
    query = f"SELECT count(), uniqExact(symbol, trade_id), sum(size), sum(notional) FROM {path.table}"
    count, different, size, notional = house.sql(query)[0]
    wanted = (expected.count, expected.count, expected.size, round(expected.notional, path.digits))
    found = (count, different, round(Decimal(size), 5), round(Decimal(notional), path.digits))
    names = ("rows", "different trades", "sum of sizes", "sum of notionals")
    faults = [f"{name}: expected {w}, found {f}" for name, w, f in zip(names, wanted, found, strict=True) if w != f]
    return "; ".join(faults)
