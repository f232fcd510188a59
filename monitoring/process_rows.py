"""The rows of the panel of programs: what runs, what ought to, what fell silent."""

from collections import defaultdict
from collections.abc import Mapping

from common.clock import NS_PER_S
from common.readings import ProcessReading
from monitoring.facts import Process
from monitoring.verdicts import Pulse, of_process
from monitoring.watch import Snapshot

KINDS = ("ingester", "processor", "dashboard", "server", "")


def processes(shot: Snapshot, now_ns: int) -> tuple[Process, ...]:
    """Return what runs and what ought to, ingesters first; servers are judged by asking them, not here."""
    if shot.redis is None:
        return ()
    living = {process.name: process for process in shot.redis.processes}
    programs = {process.fact("program") or process.name for process in living.values()}
    feeds = _feeds(shot)
    made = [_process(process, shot, now_ns, feeds) for process in (*living.values(), *shot.gone.values())]
    gone = {process.fact("program") or process.name for process in shot.gone.values()}
    for program in shot.redis.programs or ():
        if program.enabled and program.kind != "server" and program.program not in programs | gone:
            facts = {"program": program.program, "kind": program.kind, "venue": program.venue}
            made.append(_process(ProcessReading(program.program, facts, {}), shot, now_ns, feeds))
    return tuple(sorted(made, key=lambda row: (KINDS.index(row.kind) if row.kind in KINDS else 9, row.name)))


def _feeds(shot: Snapshot) -> Mapping[str, set[str]]:
    """Return the topics that each program appends to: as a source, or by what it says it made."""
    feeds: defaultdict[str, set[str]] = defaultdict(set)
    for shard in shot.redis.shards if shot.redis else ():
        for source in shard.sources:
            feeds[source].add(shard.topic)
    for process in shot.redis.processes if shot.redis else ():
        for figure in process.figures:
            name, _, label = figure.partition("|")
            if name == "records_total" and label:
                feeds[process.fact("program") or process.name].add(label)
    return feeds


def _process(process: ProcessReading, shot: Snapshot, now_ns: int, feeds: Mapping[str, set[str]]) -> Process:
    figures, program = process.figures, process.fact("program") or process.name

    def age_s(name: str) -> float | None:
        return (now_ns - figures[name]) / NS_PER_S if figures.get(name) else None

    pulse = Pulse(
        beat_age_s=age_s("beat_ns"),
        state=process.fact("state"),
        detail=process.fact("detail"),
        silence_s=age_s("last_frame_ns"),
        head_lag_s=figures.get("head_lag_s"),
        error_age_s=age_s("last_error_ns"),
    )
    cpu = shot.rates_per_s.get(f"cpu_s|{process.name}")
    moved = "records_total" if process.fact("kind") == "ingester" else "rows_total"
    moved = moved if process.total(moved) is not None else "records_total"
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
        records_per_s=shot.rates_per_s.get(f"{moved}|{process.name}"),
        last_error=process.fact("last_error"),
        last_error_age_s=pulse.error_age_s,
        feeds=tuple(sorted(feeds.get(program, ()))),
        trend=shot.trends.get(f"{moved}|{process.name}", ()),
    )
