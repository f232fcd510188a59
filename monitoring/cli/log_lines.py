"""What a line of a log says: our own JSON, Redis's and Supervisor's words, or more of what stands before it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

LEVELS = ("debug", "info", "warning", "error", "critical")
REDIS = re.compile(r"^\d+:[A-Z] (?P<time>\d+ \w{3} \d{4} [\d:.]+) (?P<sign>[.\-*#]) (?P<words>.*)$")
REDIS_LEVELS = {".": "debug", "-": "debug", "*": "info", "#": "warning"}
SUPERVISOR = re.compile(r"^(?P<time>\d{4}-\d\d-\d\d [\d:]+,\d{3}) (?P<level>[A-Z]{4,5}) (?P<words>.*)$")
SUPERVISOR_LEVELS = {"DEBG": "debug", "TRAC": "debug", "WARN": "warning", "ERRO": "error", "CRIT": "critical"}
SAID_ELSEWHERE = frozenset({"event", "level", "program", "timestamp", "exception"})


@dataclass(frozen=True)
class LogLine:
    """One event of a log: when (ISO, UTC), how grave, whose, what, its fields, and the lines that belong to it."""

    time: str
    level: str
    program: str
    event: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    more: tuple[str, ...] = ()

    def is_at_least(self, level: str) -> bool:
        """Return whether it is as grave as that."""
        return LEVELS.index(self.level) >= LEVELS.index(level)

    def as_dict(self) -> dict[str, Any]:
        """Return it as one flat JSON object."""
        known = {"time": self.time, "level": self.level, "program": self.program, "event": self.event}
        return {**known, **self.fields, **({"more": list(self.more)} if self.more else {})}


def events_of(texts: Iterator[str], program: str) -> Iterator[LogLine]:
    """Yield the events of a log in order; a line that begins none belongs to the one before it."""
    held: LogLine | None = None
    for text in texts:
        made = _begun(text, program)
        if made is None and held is not None:
            held = replace(held, more=(*held.more, text))
            continue
        if held is not None:
            yield held
        held = made or LogLine("", "info", program, text)
    if held is not None:
        yield held


def _begun(text: str, program: str) -> LogLine | None:
    """Return the event that a line begins, None if it begins none."""
    if text.startswith("{"):
        return _ours(text, program)
    if found := REDIS.match(text):
        moment = datetime.strptime(found["time"], "%d %b %Y %H:%M:%S.%f").astimezone(UTC)
        return LogLine(_iso(moment), REDIS_LEVELS[found["sign"]], program, found["words"])
    if found := SUPERVISOR.match(text):
        moment = datetime.strptime(found["time"], "%Y-%m-%d %H:%M:%S,%f").astimezone(UTC)
        return LogLine(_iso(moment), SUPERVISOR_LEVELS.get(found["level"], "info"), program, found["words"])
    return None


def _ours(text: str, program: str) -> LogLine | None:
    try:
        said = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        return None
    level = str(said.get("level", "info"))
    return LogLine(
        time=str(said.get("timestamp", "")),
        level=level if level in LEVELS else "info",
        program=program,
        event=str(said.get("event", "")),
        fields={name: value for name, value in said.items() if name not in SAID_ELSEWHERE},
        more=tuple(_told(said.get("exception"))),
    )


def _told(exception: object) -> Iterator[str]:
    """Yield the lines of a traceback as our logs keep it: a list of errors, each with its type and value."""
    if isinstance(exception, str):
        yield from exception.splitlines()
    for error in exception if isinstance(exception, list) else ():
        if isinstance(error, dict):
            yield f"{error.get('exc_type')}: {error.get('exc_value')}"
            for frame in (error.get("frames") or ())[-5:]:
                yield f"  {frame.get('filename')}:{frame.get('lineno')} {frame.get('name')}"


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
