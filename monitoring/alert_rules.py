"""RULES: what a person is woken for: pure functions of what was read, each with how long it must last."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from monitoring.facts import Overview
from monitoring.verdicts import Level, age_words

MINUTE_S = 60.0
MEMORY_FULL = 0.85
RESTARTS = 3


class Sign(NamedTuple):
    """That something is as a rule describes: what it is about, and how bad in words."""

    subject: str
    words: str


@dataclass(frozen=True)
class Facts:
    """What the rules look at; a share is None where it could not be had."""

    view: Overview
    memory_used: float | None = None
    disk_free: float | None = None
    clock_skew_s: float | None = None
    gauges: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Thresholds:
    """The numbers that an operator may choose."""

    lag_s: float = 30.0
    gaps_per_10_min: int = 20
    disk_free: float = 0.10
    clock_skew_s: float = 0.25
    token_s: float = 3600.0


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


def _lag(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    for group in facts.view.groups:
        if group.lag_s is not None and group.lag_s > limits.lag_s:
            yield Sign(f"{group.name} on {group.topic}", f"{age_words(group.lag_s)} behind")


def _program(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for process in facts.view.processes:
        if process.verdict.level is Level.DOWN:
            reason = f"; last error: {process.last_error}" if process.last_error else ""
            yield Sign(process.name, f"{process.verdict.words}{reason}")


def _waiting(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for process in facts.view.processes:
        if process.state == "waiting":
            yield Sign(process.name, process.verdict.words)


def _silent(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for process in facts.view.processes:
        if process.verdict.words.startswith("no word from the venue"):
            yield Sign(process.name, process.verdict.words)


def _frozen(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for process in facts.view.processes:
        if process.verdict.words.startswith(("stale", "the source's newest record")):
            yield Sign(process.name, process.verdict.words)


def _refused(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for event in facts.view.events:
        if event.kind == "refused" and event.age_s < 10 * MINUTE_S:
            yield Sign(event.venue, event.words)


def _gaps(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    recent = [event for event in facts.view.events if event.kind == "gap" and event.age_s < 10 * MINUTE_S]
    for venue in sorted({event.venue for event in recent}):
        count = sum(event.venue == venue for event in recent)
        if count >= limits.gaps_per_10_min:
            yield Sign(venue, f"{count} gaps in ten minutes")


def _server(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for server in facts.view.servers:
        if server.verdict.level is Level.DOWN:
            yield Sign(server.name, server.verdict.words)


def _memory(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    if facts.memory_used is not None and facts.memory_used > MEMORY_FULL:
        yield Sign("redis", f"memory {facts.memory_used:.0%} full")


def _disk(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    if facts.disk_free is not None and facts.disk_free < limits.disk_free:
        yield Sign("disk", f"{facts.disk_free:.1%} free")


def _clock(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    if facts.clock_skew_s is not None and abs(facts.clock_skew_s) > limits.clock_skew_s:
        yield Sign("redis", f"its clock is {facts.clock_skew_s:+.2f} s from ours")


def _spool(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for process, gauges in facts.gauges.items():
        if held_bytes := gauges.get("spool_bytes"):
            yield Sign(process, f"{held_bytes / 2**20:,.1f} MiB wait on disk for Redis")


def _crash_loop(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for process, restarts in facts.restarts.items():
        if restarts >= RESTARTS:
            yield Sign(process, f"started again {restarts} times in ten minutes")


def _token(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    for process, gauges in facts.gauges.items():
        left_s = gauges.get("token_left_s")
        if left_s is not None and left_s < limits.token_s:
            yield Sign(process, f"its token ends in {age_words(max(left_s, 0.0))}")


RULES = (
    Rule("lag", "a group falls behind", _lag, after_s=MINUTE_S),
    Rule("program", "a program is down or falls over", _program, after_s=10.0),
    Rule("crash_loop", "a program falls over again and again", _crash_loop),
    Rule("waiting", "a program waits and cannot go on", _waiting, after_s=2 * MINUTE_S),
    Rule("silent", "a venue says nothing", _silent, after_s=MINUTE_S),
    Rule("frozen", "a source stands still", _frozen, after_s=MINUTE_S),
    Rule("refused", "a venue refuses us", _refused),
    Rule("gaps", "more gaps than usual", _gaps, clear_s=5 * MINUTE_S),
    Rule("server", "Redis or ClickHouse does not answer", _server, after_s=10.0),
    Rule("memory", "Redis fills up", _memory, after_s=30.0, clear_s=2 * MINUTE_S),
    Rule("disk", "the disk fills up", _disk, after_s=30.0, clear_s=5 * MINUTE_S),
    Rule("clock", "the clocks differ", _clock, after_s=MINUTE_S),
    Rule("spool", "records wait on disk", _spool, after_s=10.0),
    Rule("token", "a token is about to end", _token),
)
