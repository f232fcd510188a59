"""Lines between two columns of boxes: where they run, how thick they are, and which order of boxes crosses least."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Protocol, TypeVar

from monitoring.verdicts import Level

HEIGHT = 1000  # of a column of wires, in its own units; its nodes stand at equal distances


@dataclass(frozen=True)
class Wire:
    """A line between two columns: an SVG path in a box of 100 x 1000, as thick as it is busy."""

    path: str
    width: float
    level: Level
    is_derived: bool = False


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str:
        """Its name."""


N = TypeVar("N", bound=Named)


def wire(
    start: tuple[int, int],
    end: tuple[int, int],
    *,
    level: Level,
    rate: float | None,
    is_derived: bool = False,
    is_labelled_behind: bool = False,
) -> Wire:
    """Return the line from one (place, number of boxes) to another, straight where its label stands."""
    y1, y2 = (round(HEIGHT * (place + 0.5) / size, 1) for place, size in (start, end))
    width = 1.0 + (log10(1 + rate) if rate else 0.0)
    path = f"M0 {y1}H3C36 {y1} 38 {y2} 66 {y2}H100" if is_labelled_behind else f"M0 {y1}H30C62 {y1} 64 {y2} 97 {y2}H100"
    return Wire(path, round(width, 2), level, is_derived)


def by_neighbours(
    nodes: Sequence[N], neighbours: Mapping[str, Iterable[str]], places: Mapping[str, int]
) -> tuple[N, ...]:
    """Return the nodes ordered by the mean place of their neighbours; those without any at the end."""

    def mean(node: N) -> float:
        found = [places[name] for name in neighbours.get(node.name, ()) if name in places]
        return sum(found) / len(found) if found else len(places)

    return tuple(sorted(nodes, key=mean))
