"""When a reading is worth a person's attention, and in which words: pure functions of what was read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

# A heartbeat comes every second and its key expires after 15.
BEAT_SLOW_S = 4.0
BEAT_DOWN_S = 15.0
LAG_SLOW_S = 5.0
LAG_DOWN_S = 60.0
OWNER_SILENT_S = 10.0
SILENCE_SLOW_S = 90.0
SILENT = "no word from the venue"
MUTE = "nothing but pings"  # why an ingester dials again, as it words it: the silence goes on until it hears something
ERROR_FRESH_S = 300.0
READING_OLD_S = 3.5
MEMORY_SLOW = 0.8
FORECAST_POINTS = 4  # of each third of the past: two minutes in all
FILLING_S, LATELY_S = 720.0, 300.0  # the streams that hold most keep ten minutes, so that until then they all grow


class Level(StrEnum):
    """How well something is. Off is not ill: it was not asked for."""

    WELL = "well"
    OFF = "off"
    UNKNOWN = "unknown"
    SLOW = "slow"
    DOWN = "down"


GRAVITY = (Level.OFF, Level.WELL, Level.UNKNOWN, Level.SLOW, Level.DOWN)


@dataclass(frozen=True)
class Verdict:
    """A level, the words for it, and what a person can do about it."""

    level: Level
    words: str
    remedy: str = ""


IDLE = Verdict(Level.WELL, "idle")


@dataclass(frozen=True)
class Pulse:
    """What is known of a process: ages in seconds by our clock, None where the process does not tell."""

    beat_age_s: float | None
    state: str = ""
    detail: str = ""
    silence_s: float | None = None
    mute_s: float | None = None  # a silence that is shorter says nothing: the market may be closed
    error_age_s: float | None = None


def age_words(age_s: float) -> str:
    """Return an age as people say it: `0.4 s`, `12 s`, `4 m 02 s`, `3 h 10 m`, `2 d 4 h`."""
    if age_s < 10:  # noqa: PLR2004  a digit behind the point says something only here
        return f"{max(age_s, 0):.1f} s"
    seconds = round(age_s)
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds} s"
    if seconds < 3600:  # noqa: PLR2004
        return f"{seconds // 60} m {seconds % 60:02} s"
    hours, days = seconds // 3600, seconds // 86_400
    return f"{hours} h {seconds % 3600 // 60:02} m" if not days else f"{days} d {hours % 24} h"


def of_process(program: str, pulse: Pulse) -> Verdict:
    """Judge a process that ought to run."""
    look = f"supervisorctl tail {program}"
    if pulse.beat_age_s is None:
        return Verdict(Level.DOWN, "no heartbeat", look)
    if pulse.beat_age_s > BEAT_DOWN_S:
        return Verdict(Level.DOWN, f"last heartbeat {age_words(pulse.beat_age_s)} ago", look)
    if pulse.beat_age_s > BEAT_SLOW_S:
        return Verdict(Level.SLOW, f"last heartbeat {age_words(pulse.beat_age_s)} ago", look)
    return _of_living(pulse)


def _of_living(pulse: Pulse) -> Verdict:
    told = {
        "starting": Verdict(Level.UNKNOWN, pulse.detail or "starting"),
        "waiting": Verdict(Level.SLOW, pulse.detail or "waiting, and does not say for what"),
        "stopping": Verdict(Level.SLOW, "stopping: writing what it holds"),
    }
    is_silent = pulse.silence_s is not None and pulse.silence_s > max(SILENCE_SLOW_S, pulse.mute_s or 0.0)
    if pulse.state in told and not (is_silent and MUTE in pulse.detail):
        return told[pulse.state]
    if is_silent:
        return Verdict(Level.SLOW, f"{SILENT} for {age_words(pulse.silence_s or 0.0)}")
    if pulse.error_age_s is not None and pulse.error_age_s < ERROR_FRESH_S:
        return Verdict(Level.WELL, f"running; an error {age_words(pulse.error_age_s)} ago")
    return Verdict(Level.WELL, pulse.detail or "running")


def of_group(name: str, *, lag_s: float | None, owner: str, silent_s: float | None, is_paused: bool = False) -> Verdict:
    """Judge a consumer group's place in a topic; `silent_s` is how long its owner's beat has stood still."""
    if is_paused:
        return Verdict(Level.SLOW, "paused by hand" if not owner else "is being paused", f"./fleet resume {name}")
    if lag_s is None:
        return Verdict(Level.UNKNOWN, "its lag is not known")
    if not owner:
        is_needed = lag_s > LAG_SLOW_S
        return Verdict(Level.DOWN, "nobody reads", f"supervisorctl start {name}") if is_needed else IDLE
    look = f"supervisorctl tail {name}"
    if silent_s is not None and silent_s > OWNER_SILENT_S and lag_s > LAG_SLOW_S:
        return Verdict(Level.DOWN, f"{owner} stands still for {age_words(silent_s)}", look)
    if lag_s > LAG_SLOW_S:
        return Verdict(Level.DOWN if lag_s > LAG_DOWN_S else Level.SLOW, f"{age_words(lag_s)} behind", look)
    return Verdict(Level.WELL, "keeps up")


def of_server(name: str, *, problem: str | None, read_age_s: float | None, embedded: bool) -> Verdict:
    """Judge Redis or ClickHouse by the last attempt to ask it."""
    if problem is not None:
        seen = "it has not answered yet" if read_age_s is None else f"figures are {age_words(read_age_s)} old"
        return Verdict(Level.DOWN, f"does not answer: {problem.rstrip('.')}; {seen}", _start(name, embedded=embedded))
    if read_age_s is None:
        return Verdict(Level.UNKNOWN, "not asked yet")
    if read_age_s > READING_OLD_S * 2:
        return Verdict(Level.SLOW, f"answers slowly: figures are {age_words(read_age_s)} old")
    return Verdict(Level.WELL, "answers")


def _start(name: str, *, embedded: bool) -> str:
    if embedded:
        return f"supervisorctl restart {name}; supervisorctl tail {name} (or ./start.sh if nothing runs)"
    return f"it is your own server: check {name.upper()}_HOST, {name.upper()}_PORT and the password in .env"


def of_memory(*, used_bytes: int, max_bytes: int) -> Verdict:
    """Judge how full Redis is: when it is full, nothing can be appended and the ingesters hold back."""
    if max_bytes and used_bytes >= max_bytes * MEMORY_SLOW:
        words = f"memory {used_bytes / max_bytes:.0%} full"
        return Verdict(Level.SLOW, words, "let the writers catch up, or raise REDIS_MAXMEMORY_BYTES")
    return Verdict(Level.WELL, "room in memory" if max_bytes else "memory has no limit of its own")


def full_in_s(levels: Sequence[float | None], *, step_s: float, limit: float) -> float | None:
    """
    Return when a level that goes on as it did lately is at its limit; None when it does not grow, or nobody can say.

    It compares the mean of the newest third with that of the oldest, which a single jump does not fool.
    """
    known = [(number * step_s, level) for number, level in enumerate(levels) if level is not None]
    third = len(known) // 3
    if third < FORECAST_POINTS or not limit:
        return None
    (from_s, early), (to_s, late) = (
        (sum(at_s for at_s, _ in part) / third, sum(level for _, level in part) / third)
        for part in (known[:third], known[-third:])
    )
    rate = (late - early) / (to_s - from_s)
    return max(0.0, (limit - known[-1][1]) / rate) if rate > 0 else None


def redis_full_in_s(levels: Sequence[float | None], *, step_s: float, limit: float) -> float | None:
    """Return when Redis is full, by the last minutes; None also as long as its streams are not as old as they get."""
    if len(levels) * step_s < FILLING_S:
        return None
    return full_in_s(levels[-round(LATELY_S / step_s) :], step_s=step_s, limit=limit)


def of_schema(*, expected: int | None, found: int | None) -> Verdict:
    """Judge the database's schema against the migrations that came with this code."""
    if found is None:
        return Verdict(Level.DOWN, "no schema yet", "python setup_schema.py")
    if expected is None or found == expected:
        return Verdict(Level.WELL, f"version {found}")
    remedy = "python setup_schema.py" if found < expected else "update Tickfleet: this code is older than the database"
    return Verdict(Level.DOWN, f"expected version {expected}, found {found}", remedy)


def worst(levels: Iterable[Level]) -> Level:
    """Return the gravest of some levels; well when there is none."""
    return max(levels, key=GRAVITY.index, default=Level.WELL)
