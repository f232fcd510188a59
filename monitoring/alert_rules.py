"""RULES: what a person is woken for: pure functions of what was read, each with how long it must last."""

from collections.abc import Iterable

from monitoring.alert_terms import Facts, Rule, Sign, Thresholds
from monitoring.facts import Process
from monitoring.verdicts import SILENT, Level, age_words

MINUTE_S = 60.0
MEMORY_FULL = 0.85
RESTARTS = 3
SOON_S = 86_400.0
FATAL = "FATAL"
STALE = "stale"
OF_TOKEN = f"{STALE}: the token"  # as ingesters word it, with when it ends and what to do


def _lag(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    for group in facts.view.groups:
        if group.lag_s is not None and group.lag_s > limits.lag_s:
            yield Sign(f"{group.name} on {group.topic}", f"{age_words(group.lag_s)} behind")


def _program(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for process in facts.view.processes:
        seen = facts.programs.get(process.name)
        if process.verdict.level is Level.DOWN and not (seen and seen.state == FATAL):
            yield Sign(process.name, f"{process.verdict.words}{_last_words(facts, process)}")


def _last_words(facts: Facts, process: Process) -> str:
    """Return why a process is down, as far as anybody knows, and what it had done."""
    seen = facts.programs.get(process.name)
    is_stopped = "; stopped by hand" if seen and seen.state == "STOPPED" else ""
    status = f"; exit code {seen.exit_status}" if seen and seen.exit_status is not None and not is_stopped else ""
    error = f"; last error: {process.last_error}" if process.last_error else ""
    done = f"; {facts.records[process.name]:,.0f} records so far" if facts.records.get(process.name) else ""
    return f"{is_stopped}{status}{error}{done}"


def _fatal(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for name, seen in facts.programs.items():
        if seen.state == FATAL:
            yield Sign(name, f"Supervisor has given up on it: {seen.why or 'its log says why'}")


def _waiting(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for process in _that_wait(facts):
        if process.kind != "processor" and not process.verdict.words.startswith((STALE, SILENT)):
            yield Sign(process.name, process.verdict.words)


def _inserts(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for process in _that_wait(facts):
        if process.kind == "processor":
            yield Sign(process.name, process.verdict.words)


def _that_wait(facts: Facts) -> Iterable[Process]:
    return (process for process in facts.view.processes if process.state == "waiting")


def _letters(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    if facts.view.dead_letters_per_min:
        yield Sign("dead letters", f"{facts.view.dead_letters_per_min:,.0f} a minute; see: fleet dlq ls")


def _silent(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for process in facts.view.processes:
        if process.verdict.words.startswith(SILENT):
            yield Sign(process.name, process.verdict.words)


def _frozen(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for process in facts.view.processes:
        words = process.verdict.words
        if words.startswith(STALE) and not words.startswith(OF_TOKEN):
            yield Sign(process.name, words)


def _token(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for process in facts.view.processes:
        if process.verdict.words.startswith(OF_TOKEN):
            yield Sign(process.name, process.verdict.words.removeprefix(f"{STALE}: "))


def _refused(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for event in facts.view.events:
        if event.kind == "refused" and event.age_s < 10 * MINUTE_S:
            yield Sign(event.venue, event.words)


def _gaps(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    for venue, count in sorted(facts.gaps.items()):
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


def _forecast(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    if facts.disk_full_s is not None and facts.disk_full_s < SOON_S:
        yield Sign("disk", f"full in {age_words(facts.disk_full_s)} if it goes on like this")


def _clock(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    if facts.clock_skew_s is not None and abs(facts.clock_skew_s) > limits.clock_skew_s:
        yield Sign("redis", f"its clock is {facts.clock_skew_s:+.2f} s from ours")


def _spool(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for process, held_bytes in facts.spooled.items():
        if held_bytes:
            yield Sign(process, f"{held_bytes / 2**20:,.1f} MiB wait on disk for Redis")


def _crash_loop(facts: Facts, limits: Thresholds) -> Iterable[Sign]:
    del limits
    for process, restarts in facts.restarts.items():
        if restarts >= RESTARTS:
            yield Sign(process, f"started again {restarts} times in ten minutes")


RULES = (
    Rule("lag", "a group falls behind", _lag, after_s=MINUTE_S),
    Rule("program", "a program is down or falls over", _program, after_s=10.0),
    Rule("fatal", "Supervisor has given up on a program", _fatal),
    Rule("crash_loop", "a program falls over again and again", _crash_loop),
    Rule("waiting", "a program waits and cannot go on", _waiting, after_s=2 * MINUTE_S),
    Rule("inserts", "a processor cannot store or append", _inserts, after_s=30.0),
    Rule("dead_letters", "records are set aside", _letters, clear_s=5 * MINUTE_S),
    Rule("silent", "a venue says nothing", _silent, after_s=MINUTE_S),
    Rule("frozen", "a source stands still", _frozen, after_s=MINUTE_S),
    Rule("refused", "a venue refuses us", _refused),
    Rule("gaps", "more gaps than usual", _gaps, clear_s=5 * MINUTE_S),
    Rule("server", "Redis or ClickHouse does not answer", _server, after_s=10.0),
    Rule("memory", "Redis fills up", _memory, after_s=30.0, clear_s=2 * MINUTE_S),
    Rule("disk", "the disk fills up", _disk, after_s=30.0, clear_s=5 * MINUTE_S),
    Rule("forecast", "the disk will be full within a day", _forecast, after_s=10 * MINUTE_S, clear_s=10 * MINUTE_S),
    Rule("clock", "the clocks differ", _clock, after_s=MINUTE_S),
    Rule("spool", "records wait on disk", _spool, after_s=10.0),
    Rule("token", "a token is about to end, or has", _token),
)
