"""What alerts can be about: the names that a rule could fire for as the fleet stands now, or ever."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from common.clock import now_ns
from common.readings import RedisReading
from common.redis_readings import RedisReader
from common.redis_streams import Redis
from monitoring.doing.deeds import NotDone

# Rules that are about the same for ever; what is not here nor of groups or venues is about processes.
ALWAYS: Mapping[str, tuple[str, ...]] = {
    "server": ("redis", "clickhouse"),
    "memory": ("redis",),
    "clock": ("redis",),
    "disk": ("disk",),
    "forecast": ("disk",),
    "dead_letters": ("dead letters",),
}
OF_GROUPS, OF_VENUES = ("lag",), ("refused", "gaps")
MOST_NAMED = 5


async def stranger_of(redis: Redis, rule: str, subject: str) -> str:
    """
    Return in words that nothing a rule is about has this name now, empty where something has; it may come up later.

    Raises:
        NotDone: the rule is never about that.
    """
    if rule in ALWAYS:
        if subject not in ALWAYS[rule]:
            raise NotDone(f"{rule} is only ever about {' or '.join(ALWAYS[rule])}, found {subject!r}")
        return ""
    known = sorted(names(rule, await RedisReader(redis).read(now_ns())))
    return "" if subject in known else _stranger(rule, subject, known)


def names(rule: str, reading: RedisReading) -> set[str]:
    """Return what a rule about groups, venues or processes could name, as its signs word it."""
    programs = reading.programs or ()
    if rule in OF_GROUPS:
        return {f"{group.name} on {group.topic}" for group in reading.groups}
    if rule in OF_VENUES:
        beating = {process.fact("venue") for process in reading.processes}
        return {venue for venue in (*beating, *(one.venue for one in programs)) if venue}
    declared = {name for one in programs for name in one.processes}
    return {process.name for process in reading.processes} | declared | set(ALWAYS["server"])


def _stranger(rule: str, subject: str, known: Sequence[str]) -> str:
    if not known:
        return f"nothing that {rule} is about is known now; it counts as soon as there is {subject!r}"
    alike = get_close_matches(subject, known, MOST_NAMED) or known[:MOST_NAMED]
    return f"{rule} knows no {subject!r} now, but {', '.join(alike)}; it counts as soon as there is one"
