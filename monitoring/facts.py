"""What the pages show and the API answers: plain facts, ages in seconds, None where a figure is not known."""

from dataclasses import dataclass

from monitoring.verdicts import Level, Verdict

Trend = tuple[float | None, ...]


@dataclass(frozen=True)
class Server:
    """Redis or ClickHouse, as asked last."""

    name: str
    verdict: Verdict
    version: str
    read_age_s: float | None
    took_ms: float | None
    detail: str


@dataclass(frozen=True)
class Feed:
    """A topic that a program appends to; without a rate it may, but has not yet."""

    topic: str
    records_per_s: float | None


@dataclass(frozen=True)
class Process:
    """A process of the fleet; `feeds` are its program's, `records_per_s` what it took (an ingester: what it gave)."""

    name: str
    program: str
    kind: str
    venue: str
    verdict: Verdict
    state: str
    beat_age_s: float | None
    uptime_s: float | None
    cpu_pct: float | None
    rss_bytes: int | None
    frames_per_s: float | None
    records_per_s: float | None
    last_error: str
    last_error_age_s: float | None
    feeds: tuple[Feed, ...]
    trend: Trend


@dataclass(frozen=True)
class Disabled:
    """A program that is not to run, and why."""

    program: str
    kind: str
    venue: str
    why: str


@dataclass(frozen=True)
class Stream:
    """A topic, its shards summed up."""

    topic: str
    key: str
    shards: int
    entries: int
    records_total: int
    records_per_s: float | None
    oldest_age_s: float | None
    newest_age_s: float | None
    trend: Trend


@dataclass(frozen=True)
class Group:
    """A consumer group's place in a topic, its shards summed up; `lag_s` is the age of the oldest uncommitted entry."""

    name: str
    topic: str
    shards: int
    verdict: Verdict
    lag_records: int | None
    lag_s: float | None
    pending_entries: int
    batches_in_flight: int
    attempts: int
    owners: tuple[str, ...]
    records_per_s: float | None
    trend: Trend
    is_paused: bool = False


@dataclass(frozen=True)
class Table:
    """
    A table or view of the database; `topic` is the stream that fills it, empty if none does directly.

    The size of a view is that of the table behind it; rows are not known of views that are not counted, and their
    growth neither while a merge thins them out.
    """

    name: str
    engine: str
    topic: str
    rows: int | None
    rows_per_min: float | None
    size_bytes: int | None
    parts: int | None
    inserted_age_s: float | None
    trend: Trend


@dataclass(frozen=True)
class Cursor:
    """How far a source has been read; `age_s` where the value is a time."""

    name: str
    value: str
    age_s: float | None


@dataclass(frozen=True)
class Event:
    """Something a user of the data must know."""

    received_ns: int
    age_s: float
    venue: str
    symbol: str
    channel: str
    kind: str
    words: str


@dataclass(frozen=True)
class Overview:
    """The whole of the overview, as of `taken_ns`."""

    number: int
    taken_ns: int
    mode: str
    level: Level
    words: str
    records_per_s: float | None
    worst_lag_s: float | None
    servers: tuple[Server, ...]
    schema: Verdict
    processes: tuple[Process, ...]
    programs_known: bool
    disabled: tuple[Disabled, ...]
    streams: tuple[Stream, ...]
    groups: tuple[Group, ...]
    tables: tuple[Table, ...]
    cursors: tuple[Cursor, ...]
    events: tuple[Event, ...]
    dead_letters_total: int | None
    dead_letters_per_min: float | None
    wanted_tokens: int | None
