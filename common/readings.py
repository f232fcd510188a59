"""What those who look on learn of Redis: frozen facts, each as of the moment it was read."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WORDS = frozenset({"program", "kind", "venue", "host", "version", "state", "detail", "last_error"})


@dataclass(frozen=True)
class ShardReading:
    """One shard of a stream; `offset` is how many records were ever appended, `sources` who appends them."""

    topic: str
    key: str
    entries: int
    offset: int
    first_id: str | None
    last_id: str | None
    sources: tuple[str, ...]


@dataclass(frozen=True)
class GroupReading:
    """A consumer group on one shard; `position` is None where the group is not one of ours."""

    name: str
    topic: str
    key: str
    pending_entries: int
    position: int | None
    last_id: str
    oldest_id: str | None  # the oldest entry that is not committed
    owner: str
    beat: int
    attempts: int
    in_flight: bool
    is_paused: bool = False  # a person has told its program to leave it alone


@dataclass(frozen=True)
class ProcessReading:
    """What a process says of itself; `figures` are its numbers by name, a label behind a bar: `rows_total|trades`."""

    name: str
    facts: Mapping[str, str]
    figures: Mapping[str, float]

    def fact(self, name: str) -> str:
        """Return a word the process said, empty if it did not."""
        return self.facts.get(name, "")

    def total(self, name: str) -> float | None:
        """Return a figure summed over its labels, None if there is none."""
        found = [value for key, value in self.figures.items() if key.partition("|")[0] == name]
        return sum(found) if found else None


@dataclass(frozen=True)
class ProgramReading:
    """
    A program as the launcher declared it: its processes, and the reason when it is not to run.

    `is_off` says that a person has switched it off; then it is not enabled, whatever the settings say.
    """

    program: str
    processes: tuple[str, ...]
    kind: str
    venue: str
    enabled: bool
    why: str
    is_off: bool = False


@dataclass(frozen=True)
class RedisReading:
    """Everything the overview needs of Redis, as of one moment; `server_ns` is Redis's own clock, which dates ids."""

    read_ns: int
    server_ns: int
    took_ms: float
    version: str
    used_bytes: int
    max_bytes: int
    mode: str
    shards: tuple[ShardReading, ...]
    groups: tuple[GroupReading, ...]
    processes: tuple[ProcessReading, ...]
    programs: tuple[ProgramReading, ...] | None
    cursors: Mapping[str, str]
    wanted_tokens: int


@dataclass(frozen=True)
class EntryReading:
    """An entry of a stream as it lies there."""

    id: str
    offset: int
    records: int
    data: bytes


def process_of(name: str, reply: Mapping[bytes, bytes]) -> ProcessReading:
    """Return what a `proc:` hash says."""
    facts = {text_of(key): text_of(value) for key, value in reply.items()}
    return ProcessReading(name, facts, {key: number for key, value in facts.items() for number in _number(key, value)})


def _number(name: str, value: str) -> list[float]:
    try:
        return [] if name in WORDS else [float(value)]
    except ValueError:
        return []


def programs_of(declared: bytes | None, off: Collection[str] = ()) -> tuple[ProgramReading, ...] | None:
    """Return the programs that the launcher declared, some since off; None when it did not, or we cannot read it."""
    if declared is None:
        return None
    try:
        return tuple(_program_of(item, off) for item in json.loads(declared))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def off_words(program: str) -> str:
    """Return why an ingester is off that a person has switched off, and how it comes back."""
    return f"switched off; ./fleet switch {program.removesuffix('_ingester')} on"


def _program_of(item: Mapping[str, Any], off: Collection[str]) -> ProgramReading:
    name, why, enabled = str(item["program"]), str(item.get("why") or ""), bool(item.get("enabled", True))
    is_off = name in off
    return ProgramReading(
        program=name,
        processes=tuple(item.get("processes") or (name,)),
        kind=str(item.get("kind", "")),
        venue=str(item.get("venue") or ""),
        enabled=enabled and not is_off,
        why=off_words(name) if enabled and is_off else why,
        is_off=enabled and is_off,
    )


def text_of(value: bytes | str | None) -> str:
    """Return a reply as text, empty for none."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""


def maybe_text_of(value: bytes | None) -> str | None:
    """Return a reply as text, None for none."""
    return None if value is None else value.decode(errors="replace")


def whole_of(value: bytes | None, otherwise: int) -> int:
    """Return a reply as a whole number, `otherwise` for none or for what is no number of ours."""
    return int(value) if value is not None and value.isdigit() else otherwise


def sources_of(processes: Sequence[ProcessReading], programs: Sequence[ProgramReading] | None) -> list[str]:
    """Return the names of all programs that are known: under these they append to streams."""
    said = {process.fact("program") or process.name for process in processes}
    return sorted(said | {program.program for program in programs or ()})
