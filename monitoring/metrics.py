"""Prometheus: one scrape target for the whole fleet, fed from what every process wrote into Redis."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from common.heartbeat import VERSION
from common.readings import ProcessReading
from monitoring.facts import Overview
from monitoring.verdicts import Level
from monitoring.watch import Snapshot

PREFIX = "tickfleet_"
# A figure of a process to a metric's name; a figure that is not here keeps its own, so that new ones show up by
# themselves.
NAMES: Mapping[str, str] = {
    "frames_total": "ingest_messages_total",
    "bytes_in_total": "ingest_bytes_total",
    "records_total": "ingest_records_total",
    "reconnects_total": "ws_reconnects_total",
    "gaps_total": "book_gaps_total",
    "resyncs_total": "book_resyncs_total",
    "rows_total": "clickhouse_rows_inserted_total",
    "cpu_s": "process_cpu_seconds_total",
    "rss_bytes": "process_resident_memory_bytes",
    "head_lag_s": "source_head_lag_seconds",
}
NOT_FIGURES = frozenset({"pid", "version", "program", "kind", "venue", "host", "state", "detail", "last_error"})
LABELS: Mapping[str, str] = {"rows_total": "table", "records_total": "topic", "feed_events_total": "kind"}
FLEETWIDE = frozenset({"dead_letters_total", "wanted_tokens"})  # told of the fleet above; this is each process's own
UNITS = (("_ns", "_timestamp_seconds", 1e-9), ("_ms", "_seconds", 1e-3), ("_s", "_seconds", 1.0))
UNSAFE = re.compile(r"[^a-zA-Z0-9_]")


class FleetCollector(Collector):
    """Turns one snapshot into metrics."""

    def __init__(self, shot: Snapshot, view: Overview) -> None:
        self._shot = shot
        self._view = view

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        yield _gauge("build_info", "Version of this dashboard; always 1", ("version",), [((VERSION,), 1.0)])
        up = [((s.name,), float(s.verdict.level is not Level.DOWN)) for s in self._view.servers]
        yield _gauge("server_up", "Whether a server answered the last question", ("server",), up)
        if self._shot.redis is not None and self._shot.redis_problem is None:
            yield from self._streams()
            yield from _figures(self._shot.redis.processes)
        if self._shot.store is not None and self._shot.store_problem is None:
            rows = [((t.name,), float(t.rows)) for t in self._view.tables if t.rows is not None]
            yield _gauge("clickhouse_rows", "Rows that a table holds", ("table",), rows)
            kept = [((t.name,), float(t.size_bytes)) for t in self._view.tables if t.size_bytes is not None]
            yield _gauge("clickhouse_bytes", "Bytes that a table takes on disk", ("table",), kept)

    def _streams(self) -> Iterator[Metric]:
        view, stream, place = self._view, ("stream",), ("stream", "group")
        lengths = [((s.topic,), float(s.entries)) for s in view.streams]
        yield _gauge("stream_length", "Entries that a stream holds; each packs one or many records", stream, lengths)
        records = [((s.topic,), float(s.records_total)) for s in view.streams]
        yield _counter("stream_records_total", "Records ever appended to a stream", stream, records)
        lags_s = [((g.topic, g.name), g.lag_s) for g in view.groups if g.lag_s is not None]
        yield _gauge("consumer_lag_seconds", "Age of the oldest entry that a group has not committed", place, lags_s)
        lags = [((g.topic, g.name), float(g.lag_records)) for g in view.groups if g.lag_records is not None]
        yield _gauge("consumer_lag_messages", "Records that a group has not committed", place, lags)
        pending = [((g.topic, g.name), float(g.pending_entries)) for g in view.groups]
        yield _gauge("consumer_pending_messages", "Entries given to a group and not acknowledged", place, pending)
        if view.dead_letters_total is not None:
            letters = [((), float(view.dead_letters_total))]
            yield _counter("dead_letters_total", "Records ever set aside", (), letters)
        if view.wanted_tokens is not None:
            wanted = [((), float(view.wanted_tokens))]
            yield _gauge("wanted_tokens", "Outcome tokens that no market is known for", (), wanted)


def _figures(processes: Iterable[ProcessReading]) -> Iterator[Metric]:
    found: defaultdict[str, list[tuple[tuple[str, ...], float]]] = defaultdict(list)
    for process in processes:
        who = (process.fact("program") or process.name, process.name, process.fact("venue"))
        for figure, value in process.figures.items():
            name, _, label = figure.partition("|")
            if name not in NOT_FIGURES and not (name.endswith("_ns") and not value):
                found[name].append(((*who, label), value))
    for name, samples in sorted(found.items()):
        metric, factor = _named(name)
        labels = ("program", "process", "venue", LABELS.get(name, "label"))
        family = _counter if metric.endswith("_total") else _gauge
        scaled = [(values, value * factor) for values, value in samples]
        yield family(metric, f"{name} as the processes write it", labels, scaled)


def _named(figure: str) -> tuple[str, float]:
    """Return a metric's name in base units, and what to multiply the figure with."""
    if figure in FLEETWIDE:
        return f"process_{figure}", 1.0
    if figure in NAMES:
        return NAMES[figure], 1.0
    for ending, unit, factor in UNITS:
        if figure.endswith(ending):
            return UNSAFE.sub("_", figure.removesuffix(ending) + unit), factor
    return UNSAFE.sub("_", figure), 1.0


Samples = Iterable[tuple[tuple[str, ...], float]]


def _gauge(name: str, about: str, labels: tuple[str, ...], samples: Samples) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, about, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _counter(name: str, about: str, labels: tuple[str, ...], samples: Samples) -> Metric:
    family = CounterMetricFamily(PREFIX + name, about, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family
