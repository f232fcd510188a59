"""What a figure of a process is called in Prometheus, and what it says there."""

from collections.abc import Mapping
from typing import NamedTuple

PREFIX = "tickfleet_"


class Named(NamedTuple):
    """A metric's name without the prefix, its help, and what its label is called."""

    name: str
    about: str
    label: str = ""


# A figure that is not here keeps its own name, so that new ones show up by themselves.
NAMES: Mapping[str, Named] = {
    "frames_total": Named("ingest_messages_total", "Messages that a venue sent"),
    "bytes_in_total": Named("ingest_bytes_total", "Bytes that a venue sent"),
    "records_total": Named("ingest_records_total", "Records appended by an ingester, taken by a processor", "topic"),
    "reconnects_total": Named("ws_reconnects_total", "Connections to a venue that were made again"),
    "questions_failed_total": Named("questions_failed_total", "Requests to a venue that failed and were asked again"),
    "feed_events_total": Named(
        "feed_events_total", "What a user of the data must know, as told by an ingester", "kind"
    ),
    "frames_without_news_total": Named("frames_without_news_total", "Messages that told nothing new"),
    "spooled_total": Named("spooled_total", "Records that went to the spool on disk"),
    "spool_dropped_total": Named("spool_dropped_total", "Records that the spool gave up"),
    "spool_bytes": Named("spool_bytes", "Bytes that wait on disk for Redis"),
    "rows_total": Named("clickhouse_rows_inserted_total", "Rows that a processor delivered", "table"),
    "batches_total": Named("batches_total", "Batches that a processor brought to their end"),
    "insert_s": Named("insert_duration_seconds", "How long the delivery of one batch took"),
    "latency_s": Named("event_latency_seconds", "Age of a batch's oldest record at the end of a stage", "stage"),
    "dead_letters_total": Named("process_dead_letters_total", "Records that this process set aside"),
    "wanted_tokens": Named("process_wanted_tokens", "Outcome tokens that this process knows no market for"),
    "buffered_bytes": Named("buffered_bytes", "Bytes that a venue sent and Redis has not confirmed"),
    "budget_spent": Named("budget_spent", "Weight of the requests to a venue that its limit counts now"),
    "members": Named("members", "Processes of a program that share its shards"),
    "shards_share": Named("shards_share", "Shards that a process is to own"),
    "cpu_s": Named("process_cpu_seconds_total", "CPU time of a process"),
    "rss_bytes": Named("process_resident_memory_bytes", "Memory that a process holds"),
    "started_ns": Named("started_timestamp_seconds", "When a process began"),
    "beat_ns": Named("beat_timestamp_seconds", "When a process last said that it lives"),
    "mute_s": Named("ingest_mute_seconds", "Silence that is longer than this is none of a quiet or closed market"),
    "last_frame_ns": Named(
        "last_frame_timestamp_seconds", "When a venue last sent anything; on a socket, where it has any"
    ),
    "last_error_ns": Named("last_error_timestamp_seconds", "When something last went wrong in a process"),
}
# What a process of a kind counts from its start: 0 is what it says until the first one comes.
COUNTED: Mapping[str, tuple[str, ...]] = {
    "ingester": (
        "frames_total", "bytes_in_total", "reconnects_total", "questions_failed_total", "spooled_total",
        "spool_dropped_total", "spool_bytes", "feed_events_total|gap", "feed_events_total|resync",
        "feed_events_total|disconnected", "feed_events_total|refused", "feed_events_total|stale",
        "dead_letters_total",
    ),
    "processor": ("batches_total", "dead_letters_total"),
}  # fmt: skip
UNITS = (("_ns", "_timestamp_seconds"), ("_ms", "_seconds"), ("_s", "_seconds"))
FACTORS = {"_ns": 1e-9, "_ms": 1e-3}


def named(figure: str) -> Named:
    """Return what a figure is called, in base units."""
    if figure in NAMES:
        return NAMES[figure]
    ending = next(((end, unit) for end, unit in UNITS if figure.endswith(end)), None)
    name = figure.removesuffix(ending[0]) + ending[1] if ending else figure
    return Named(name, f"{figure} as the processes write it")


def factor_of(figure: str) -> float:
    """Return what a figure is multiplied with to be in base units."""
    return next((factor for ending, factor in FACTORS.items() if figure.endswith(ending)), 1.0)
