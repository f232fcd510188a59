"""What a rule looks at, what it finds, and which numbers an operator may choose."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from monitoring.facts import Overview
from monitoring.supervised import Supervised


class Sign(NamedTuple):
    """That something is as a rule describes: what it is about, and how bad in words."""

    subject: str
    words: str


@dataclass(frozen=True)
class Facts:
    """
    What the rules look at; a share is None where it could not be had.

    `spooled` has bytes, `restarts` and `gaps` count ten minutes, `records` what a process had done; `programs` is what
    Supervisor says, nothing where there is none.
    """

    view: Overview
    memory_used: float | None = None
    disk_free: float | None = None
    disk_full_s: float | None = None
    clock_skew_s: float | None = None
    spooled: Mapping[str, float] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    gaps: Mapping[str, int] = field(default_factory=dict)
    records: Mapping[str, float] = field(default_factory=dict)
    programs: Mapping[str, Supervised] = field(default_factory=dict)


@dataclass(frozen=True)
class Thresholds:
    """The numbers that an operator may choose."""

    lag_s: float = 30.0
    gaps_per_10_min: int = 20
    disk_free: float = 0.10
    clock_skew_s: float = 0.25


@dataclass(frozen=True)
class Rule:
    """
    What is looked for; it fires when it has lasted `after_s`, and is over when it has been away for `clear_s`.

    The difference keeps what comes and goes from ringing each time.
    """

    name: str
    words: str
    judge: Callable[[Facts, Thresholds], Iterable[Sign]]
    after_s: float = 0.0
    clear_s: float = 30.0
