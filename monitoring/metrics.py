"""Prometheus: one scrape target for the whole fleet, fed from what every process wrote into Redis."""

import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from common.clock import NS_PER_S
from common.durations import BUCKET, SUM, buckets
from common.heartbeat import VERSION
from common.readings import ProcessReading
from monitoring.alert_rules import RULES
from monitoring.facts import Overview
from monitoring.firing import alarms_of
from monitoring.metric_names import COUNTED, PREFIX, factor_of, named
from monitoring.verdicts import Level
from monitoring.watch import Snapshot

NOT_FIGURES = frozenset({"pid"})
UNSAFE = re.compile(r"[^a-zA-Z0-9_]")
WHO = ("program", "process", "venue")
BREAKS = (
    ("gap", "book_gaps_total", "Times that a venue's numbers had a hole, or we were away"),
    ("resync", "book_resyncs_total", "Times that order was restored after a gap"),
)
Taken = defaultdict[tuple[str, str, str, str], dict[str, float]]  # by process and stage: counts by bound
Samples = Sequence[tuple[tuple[str, ...], float]]


class FleetCollector(Collector):
    """Turns one snapshot into metrics."""

    def __init__(self, shot: Snapshot, view: Overview, data_dir: Path | None = None) -> None:
        self._shot = shot
        self._view = view
        self._data_dir = data_dir

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        yield _gauge("build_info", "Version of this dashboard; always 1", ("version",), [((VERSION,), 1.0)])
        up = [((s.name,), float(s.verdict.level is not Level.DOWN)) for s in self._view.servers]
        yield _gauge("server_up", "Whether a server answered the last question", ("server",), up)
        yield from _disk(self._data_dir)
        if self._shot.redis is not None and self._shot.redis_problem is None:
            yield from self._redis()
            yield from self._streams()
            yield from self._alarms()
            yield from _figures(self._shot.redis.processes)
        if self._shot.store is not None and self._shot.store_problem is None:
            yield from self._tables()

    def _redis(self) -> Iterator[Metric]:
        reading, processes = self._shot.redis, self._view.processes
        assert reading is not None  # noqa: S101  asked for only where it is
        yield _gauge("redis_memory_used_bytes", "Memory that Redis uses", (), [((), float(reading.used_bytes))])
        if reading.max_bytes:
            yield _gauge("redis_memory_max_bytes", "Memory that Redis may use", (), [((), float(reading.max_bytes))])
        skew_s = (reading.server_ns - reading.read_ns) / NS_PER_S
        yield _gauge("redis_clock_skew_seconds", "Redis's clock minus ours", (), [((), skew_s)])
        up = [((p.program, p.name, p.venue), float(p.verdict.level is not Level.DOWN)) for p in processes]
        yield _gauge("process_up", "Whether a process that ought to run has a fresh heartbeat", WHO, up)

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

    def _alarms(self) -> Iterator[Metric]:
        alarms = alarms_of(self._shot)
        if alarms is not None:
            firing = [((rule.name,), float(sum(alarm.rule == rule.name for alarm in alarms))) for rule in RULES]
            yield _gauge("alerts_firing", "Alarms of a rule that fire now", ("rule",), firing)

    def _tables(self) -> Iterator[Metric]:
        tables, table = self._view.tables, ("table",)
        rows = [((t.name,), float(t.rows)) for t in tables if t.rows is not None]
        yield _gauge("clickhouse_rows", "Rows that a table holds", table, rows)
        kept = [((t.name,), float(t.size_bytes)) for t in tables if t.size_bytes is not None]
        yield _gauge("clickhouse_bytes", "Bytes that a table takes on disk", table, kept)
        parts = [((t.name,), float(t.parts)) for t in tables if t.parts is not None]
        yield _gauge("clickhouse_parts", "Parts that a table consists of", table, parts)
        ages = [((t.name,), t.inserted_age_s) for t in tables if t.inserted_age_s is not None]
        yield _gauge("clickhouse_last_insert_age_seconds", "Time since rows were last inserted", table, ages)


def _disk(data_dir: Path | None) -> Iterator[Metric]:
    try:
        usage = shutil.disk_usage(data_dir) if data_dir is not None else None
    except OSError:
        return
    if usage is not None:
        yield _gauge("disk_free_bytes", "Free bytes on the disk of the data", (), [((), float(usage.free))])
        yield _gauge("disk_size_bytes", "Size of the disk of the data", (), [((), float(usage.total))])


def _figures(processes: Iterable[ProcessReading]) -> Iterator[Metric]:
    found: defaultdict[str, list[tuple[tuple[str, ...], float]]] = defaultdict(list)
    taken: defaultdict[str, Taken] = defaultdict(lambda: defaultdict(dict))
    for process in processes:
        who = (process.fact("program") or process.name, process.name, process.fact("venue"))
        for figure, value in _whole(process).items():
            name, _, label = figure.partition("|")
            if name.endswith((BUCKET, SUM)):
                stage, _, bound = label.rpartition("|")
                taken[_stem(name)][*who, stage][bound] = value  # the sum has an empty bound
            elif name not in NOT_FIGURES and not (name.endswith("_ns") and not value):
                found[name].append(((*who, label), value))
    yield from (_family(name, samples) for name, samples in sorted(found.items()))
    yield from (_durations(name, counted) for name, counted in sorted(taken.items()))
    yield from _breaks(found.get("feed_events_total", ()))


def _whole(process: ProcessReading) -> dict[str, float]:
    """Return a process's figures, with 0 for what it counts and has not met since it began."""
    return {**dict.fromkeys(COUNTED.get(process.fact("kind"), ()), 0.0), **process.figures}


def _stem(name: str) -> str:
    return name.removesuffix(BUCKET).removesuffix(SUM) + "_s"


def _family(figure: str, samples: list[tuple[tuple[str, ...], float]]) -> Metric:
    name, about, label = named(figure)
    has_label = any(values[-1] for values, _ in samples)
    names = (*WHO, label or "label") if has_label else WHO
    scaled = [(values[: len(names)], value * factor_of(figure)) for values, value in samples]
    family = _counter if name.endswith("_total") else _gauge
    return family(UNSAFE.sub("_", name), about, names, scaled)


def _durations(figure: str, taken: Taken) -> Metric:
    name, about, label = named(figure)
    names = (*WHO, label) if label else WHO
    family = HistogramMetricFamily(PREFIX + name, about, labels=names)
    for values, by_bound in taken.items():
        family.add_metric(values[: len(names)], buckets=buckets(by_bound), sum_value=by_bound.get("", 0.0) / 1_000_000)
    return family


def _breaks(told: Samples) -> Iterator[Metric]:
    """Yield what breaks a book and what mends it, under the names that people look for."""
    for kind, name, about in BREAKS:
        samples = [((venue, program), value) for (program, _, venue, its_kind), value in told if its_kind == kind]
        yield _counter(name, about, ("venue", "program"), samples)


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
