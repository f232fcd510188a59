"""The rows of the panel of programs: what runs, what ought to, what fell silent."""

from collections import defaultdict
from collections.abc import Mapping

from common.clock import NS_PER_S
from common.readings import ProcessReading, ProgramReading
from monitoring.facts import Feed, Process
from monitoring.verdicts import Pulse, of_process
from monitoring.watch import Snapshot

KINDS = ("ingester", "processor", "dashboard")  # what writes heartbeats; servers are judged by asking them
WRITER = "clickhouse_writer"
# The label of the counter that says what a kind of program appends: an ingester's records, a processor's rows.
APPENDS = {"ingester": "records_total", "processor": "rows_total"}


def processes(shot: Snapshot, now_ns: int) -> tuple[Process, ...]:
    """Return what runs, what ought to and what fell silent, ingesters first."""
    if shot.redis is None:
        return ()
    if shot.redis_problem is not None:
        now_ns = shot.redis.read_ns  # what they have said since cannot be known: judge them as of the last reading
    off = {program.program for program in shot.redis.programs or () if program.is_off}
    gone = [process for process in shot.gone.values() if process.fact("program") not in off]  # as it was to be
    known = {process.name: process for process in (*gone, *shot.redis.processes)}
    for program in shot.redis.programs or ():
        if program.enabled and program.kind in KINDS:
            facts = {"program": program.program, "kind": program.kind, "venue": program.venue}
            for name in _missing(program, known):
                known[name] = ProcessReading(name, facts, {})
    feeds = _feeds(shot)
    made = [_process(process, shot, now_ns, feeds) for process in known.values()]
    return tuple(sorted(made, key=lambda row: (KINDS.index(row.kind) if row.kind in KINDS else len(KINDS), row.name)))


def _missing(program: ProgramReading, known: Mapping[str, ProcessReading]) -> list[str]:
    """Return the processes without a word; a lone one may go by another name than its program's."""
    alike = any(process.fact("program") == program.program for process in known.values())
    if alike and len(program.processes) == 1:
        return []
    return [name for name in program.processes if name not in known]


def _feeds(shot: Snapshot) -> Mapping[str, tuple[Feed, ...]]:
    """Return what each program appends to: where it is a source, and what its counters say."""
    topics: defaultdict[str, set[str]] = defaultdict(set)
    counters: dict[str, str] = {}
    for shard in shot.redis.shards if shot.redis else ():
        for source in shard.sources:
            topics[source].add(shard.topic)
    for process in shot.redis.processes if shot.redis else ():
        program, counter = process.fact("program"), APPENDS.get(process.fact("kind"), "")
        counters[program] = counter
        if program != WRITER:  # its rows are those of tables, which bear the streams' names
            topics[program] |= {name.partition("|")[2] for name in process.figures if name.startswith(f"{counter}|")}
    return {
        program: tuple(
            Feed(topic, shot.rates_per_s.get(f"{counters.get(program, '')}|{program}|{topic}"))
            for topic in sorted(held)
        )
        for program, held in topics.items()
    }


def _process(process: ProcessReading, shot: Snapshot, now_ns: int, feeds: Mapping[str, tuple[Feed, ...]]) -> Process:
    figures, program = process.figures, process.fact("program") or process.name

    def age_s(name: str) -> float | None:
        return (now_ns - figures[name]) / NS_PER_S if figures.get(name) else None

    pulse = Pulse(
        beat_age_s=age_s("beat_ns"),
        state=process.fact("state"),
        detail=process.fact("detail"),
        silence_s=age_s("last_frame_ns"),
        mute_s=figures.get("mute_s"),
        error_age_s=age_s("last_error_ns"),
    )
    cpu = shot.rates_per_s.get(f"cpu_s|{process.name}")
    return Process(
        name=process.name,
        program=program,
        kind=process.fact("kind"),
        venue=process.fact("venue"),
        verdict=of_process(program, pulse),
        state=pulse.state,
        beat_age_s=pulse.beat_age_s,
        uptime_s=age_s("started_ns"),
        cpu_pct=None if cpu is None else cpu * 100,
        rss_bytes=int(figures["rss_bytes"]) if "rss_bytes" in figures else None,
        frames_per_s=shot.rates_per_s.get(f"frames_total|{process.name}"),
        records_per_s=shot.rates_per_s.get(f"records_total|{process.name}"),
        last_error=process.fact("last_error"),
        last_error_age_s=pulse.error_age_s,
        feeds=feeds.get(program, ()),
        trend=shot.trends.get(f"records_total|{process.name}", ()),
    )
