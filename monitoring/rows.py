"""Each panel's rows, from a snapshot: shards summed up, rates and ages beside every figure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from common.clock import NS_PER_MS, NS_PER_S
from common.readings import GroupReading, ProcessReading, ShardReading
from common.records import FeedEvent
from common.tables import TABLES
from monitoring.facts import Cursor, Event, Group, Process, Stream, Table
from monitoring.verdicts import GRAVITY, Pulse, Verdict, of_group, of_process
from monitoring.watch import Snapshot

SHOWN_BY = {"market_versions": "markets", "bar_versions": "bars"}  # the view that a person means
EARLIEST_TIME_S, LATEST_TIME_S = 1_000_000_000, 100_000_000_000
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


def streams(shot: Snapshot) -> tuple[Stream, ...]:
    """Return one row a topic."""
    if shot.redis is None:
        return ()
    by_topic: defaultdict[str, list[ShardReading]] = defaultdict(list)
    for shard in shot.redis.shards:
        by_topic[shard.topic].append(shard)
    return tuple(_stream(topic, shards, shot, shot.redis.server_ns) for topic, shards in by_topic.items())


def _stream(topic: str, shards: Sequence[ShardReading], shot: Snapshot, server_ns: int) -> Stream:
    firsts = [_id_age_s(shard.first_id, server_ns) for shard in shards if shard.first_id]
    lasts = [_id_age_s(shard.last_id, server_ns) for shard in shards if shard.last_id]
    return Stream(
        topic=topic,
        key=shards[0].key if len(shards) == 1 else f"stream:{{{topic}:0…{len(shards) - 1}}}",
        shards=len(shards),
        entries=sum(shard.entries for shard in shards),
        records_total=sum(shard.offset for shard in shards),
        records_per_s=shot.rates_per_s.get(f"stream|{topic}"),
        oldest_age_s=max(firsts, default=None),
        newest_age_s=min(lasts, default=None),
        trend=shot.trends.get(f"stream|{topic}", ()),
    )


def _id_age_s(entry_id: str, server_ns: int) -> float:
    """Return an entry's age by Redis's own clock, which wrote its id."""
    return max(0.0, (server_ns - int(entry_id.partition("-")[0]) * NS_PER_MS) / NS_PER_S)


def groups(shot: Snapshot) -> tuple[Group, ...]:
    """Return one row a group and topic, the worst first among equals of name."""
    if shot.redis is None:
        return ()
    offsets = {shard.key: shard.offset for shard in shot.redis.shards}
    found: defaultdict[tuple[str, str], list[GroupReading]] = defaultdict(list)
    for group in shot.redis.groups:
        found[group.name, group.topic].append(group)
    made = [_group(parts, offsets, shot, shot.redis.server_ns) for parts in found.values()]
    return tuple(sorted(made, key=lambda row: (row.name, -GRAVITY.index(row.verdict.level))))


def _group(parts: Sequence[GroupReading], offsets: Mapping[str, int], shot: Snapshot, server_ns: int) -> Group:
    name, topic = parts[0].name, parts[0].topic
    places = [(part, part.position) for part in parts]
    lag_records = None
    if all(position is not None for _, position in places):
        lag_records = sum(max(0, offsets[part.key] - (position or 0)) for part, position in places)
    waiting = [_id_age_s(part.oldest_id, server_ns) for part in parts if part.oldest_id]
    return Group(
        name=name,
        topic=topic,
        shards=len(parts),
        verdict=_worst_part(parts, offsets, shot, server_ns),
        lag_records=lag_records,
        lag_s=max(waiting, default=0.0),
        pending_entries=sum(part.pending_entries for part in parts),
        batches_in_flight=sum(part.in_flight for part in parts),
        attempts=max(part.attempts for part in parts),
        owners=tuple(sorted({part.owner for part in parts if part.owner})),
        records_per_s=shot.rates_per_s.get(f"group|{name}|{topic}"),
        trend=shot.trends.get(f"lag|{name}|{topic}", ()),
    )


def _worst_part(parts: Sequence[GroupReading], offsets: Mapping[str, int], shot: Snapshot, server_ns: int) -> Verdict:
    verdicts = [
        of_group(
            part.name,
            lag_s=_id_age_s(part.oldest_id, server_ns) if part.oldest_id else 0.0,
            lag_records=None if part.position is None else max(0, offsets[part.key] - part.position),
            owner=part.owner,
            silent_s=shot.owner_silent_s.get(f"{part.key}|{part.name}"),
        )
        for part in parts
    ]
    return max(verdicts, key=lambda verdict: GRAVITY.index(verdict.level))


def tables(shot: Snapshot, now_ns: int) -> tuple[Table, ...]:
    """Return one row a table, those fed by streams first, in the order of the streams."""
    if shot.store is None:
        return ()
    sources = {table.name: table.source.topic for table in TABLES}
    shown = {SHOWN_BY.get(name, name): topic for name, topic in sources.items()}
    order = list(shown)
    inserted = {table.name: table.inserted_ns for table in shot.store.tables}
    behind = {view: table for table, view in SHOWN_BY.items()}
    made = [
        Table(
            name=table.name,
            topic=shown.get(table.name, ""),
            rows=table.rows,
            rows_per_min=_per_min(shot, table.name),
            size_bytes=table.size_bytes,
            parts=table.parts,
            inserted_age_s=_since_s(inserted.get(behind.get(table.name, table.name)), now_ns),
            trend=shot.trends.get(f"rows|{table.name}", ()),
        )
        for table in shot.store.tables
        if not table.name.startswith(".")
    ]
    return tuple(sorted(made, key=lambda row: (order.index(row.name) if row.name in order else 99, row.name)))


def _per_min(shot: Snapshot, table: str) -> float | None:
    rate = shot.slow_rates_per_s.get(f"rows|{table}")
    return None if rate is None else rate * 60


def _since_s(time_ns: int | None, now_ns: int) -> float | None:
    return None if time_ns is None else max(0.0, (now_ns - time_ns) / NS_PER_S)


def cursors(shot: Snapshot, now_ns: int) -> tuple[Cursor, ...]:
    """Return every `state:` string; one whose name says timestamp has an age."""
    held = shot.redis.cursors if shot.redis else {}
    return tuple(Cursor(f"state:{name}", value, _time_age_s(name, value, now_ns)) for name, value in held.items())


def _time_age_s(name: str, value: str, now_ns: int) -> float | None:
    if not name.endswith("timestamp") or not value.isdigit():
        return None
    seconds = int(value)
    return now_ns / NS_PER_S - seconds if EARLIEST_TIME_S < seconds < LATEST_TIME_S else None


def events(shot: Snapshot, now_ns: int) -> tuple[Event, ...]:
    """Return the newest feed events, newest first."""
    return tuple(
        Event(
            received_ns=event.received_ns,
            age_s=(now_ns - event.received_ns) / NS_PER_S,
            venue=event.venue,
            symbol=event.symbol,
            channel=event.channel,
            kind=event.kind,
            words=_event_words(event),
        )
        for event in shot.events
    )


def _event_words(event: FeedEvent) -> str:
    words = [event.detail] if event.detail else []
    if event.expected or event.found:
        words.append(f"expected {event.expected or 'nothing'}, found {event.found or 'nothing'}")
    if event.to_ns > event.from_ns:
        words.append(f"over {(event.to_ns - event.from_ns) / NS_PER_S:.3f} s")
    return "; ".join(words)
