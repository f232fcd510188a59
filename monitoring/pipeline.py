"""The map: ingesters, streams, groups and tables in four columns, and the wires between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitoring.facts import Overview, Process
from monitoring.filters import count, rate
from monitoring.verdicts import GRAVITY, Level, Verdict
from monitoring.wires import Wire, by_neighbours, wire

WRITER = "clickhouse_writer"
ASIDE = ("feed_events", "dead_letters")  # everybody feeds them, so that they say nothing about where a box belongs


@dataclass(frozen=True)
class Node:
    """A box of the map. `rate` is what leaves it (for a table: what enters), in `unit`; None is not known."""

    name: str
    level: Level
    words: str
    figure: str
    rate: float | None
    unit: str = "/s"


@dataclass(frozen=True)
class Map:
    """Four columns of nodes and the three of wires between them."""

    ingesters: tuple[Node, ...]
    streams: tuple[Node, ...]
    groups: tuple[Node, ...]
    tables: tuple[Node, ...]
    into_streams: tuple[Wire, ...]
    into_groups: tuple[Wire, ...]
    into_tables: tuple[Wire, ...]


def pipeline(view: Overview) -> Map:
    """Return the map of an overview; boxes stand beside what they feed, as far as they can."""
    streams, tables = _streams(view), _tables(view)
    places = {node.name: place for place, node in enumerate(streams)}
    feeds = {process.program: [feed.topic for feed in process.feeds] for process in view.processes}
    reads: dict[str, list[str]] = {}
    for group in view.groups:
        reads.setdefault(group.name, []).append(group.topic)
    ingesters = by_neighbours(_ingesters(view), {name: _but(topics, ASIDE) for name, topics in feeds.items()}, places)
    groups = by_neighbours(_groups(view), reads, places)
    return Map(
        ingesters=ingesters,
        streams=streams,
        groups=groups,
        tables=tables,
        into_streams=_into_streams(view, ingesters, streams),
        into_groups=(*_into_groups(view, streams, groups), *_derived(view, streams, groups)),
        into_tables=_into_tables(view, groups, tables),
    )


def _but(topics: Sequence[str], left_out: Sequence[str]) -> list[str]:
    return [topic for topic in topics if topic not in left_out]


def _at(column: Sequence[Node], name: str) -> tuple[int, int]:
    return [node.name for node in column].index(name), len(column)


def _has(column: Sequence[Node], name: str) -> bool:
    return any(node.name == name for node in column)


def _into_streams(view: Overview, ingesters: Sequence[Node], streams: Sequence[Node]) -> tuple[Wire, ...]:
    return tuple(
        wire(
            _at(ingesters, process.program),
            _at(streams, feed.topic),
            level=process.verdict.level,
            rate=feed.records_per_s,
        )
        for process in view.processes
        if process.kind == "ingester"
        for feed in process.feeds
        if _has(streams, feed.topic) and (feed.records_per_s is not None or feed.topic not in ASIDE)
    )


def _into_groups(view: Overview, streams: Sequence[Node], groups: Sequence[Node]) -> list[Wire]:
    return [
        wire(
            _at(streams, group.topic),
            _at(groups, group.name),
            level=group.verdict.level,
            rate=group.records_per_s,
        )
        for group in view.groups
    ]


def _derived(view: Overview, streams: Sequence[Node], groups: Sequence[Node]) -> list[Wire]:
    makers = [process for process in view.processes if process.kind == "processor" and _has(groups, process.program)]
    return [
        wire(
            _at(streams, feed.topic),
            _at(groups, process.program),
            level=process.verdict.level,
            rate=feed.records_per_s,
            is_derived=True,
        )
        for process in makers
        for feed in process.feeds
        if _has(streams, feed.topic)
    ]


def _into_tables(view: Overview, groups: Sequence[Node], tables: Sequence[Node]) -> tuple[Wire, ...]:
    levels: Mapping[str, Level] = {group.topic: group.verdict.level for group in view.groups if group.name == WRITER}
    return tuple(
        wire(
            _at(groups, WRITER),
            _at(tables, table.name),
            level=levels[table.topic],
            rate=None if table.rows_per_min is None else table.rows_per_min / 60,
            is_labelled_behind=True,
        )
        for table in view.tables
        if table.topic in levels and _has(tables, table.name)
    )


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    return max(verdicts, key=lambda verdict: GRAVITY.index(verdict.level))


def _ingesters(view: Overview) -> tuple[Node, ...]:
    running = [process for process in view.processes if process.kind == "ingester"]
    nodes = [
        Node(
            name=program,
            level=_worst([p.verdict for p in running if p.program == program]).level,
            words=_worst([p.verdict for p in running if p.program == program]).words,
            figure=_frames([p for p in running if p.program == program]),
            rate=_sum([p.records_per_s for p in running if p.program == program]),
        )
        for program in dict.fromkeys(process.program for process in running)
    ]
    off = [Node(d.program, Level.OFF, d.why, "", None) for d in view.disabled if d.kind in ("ingester", "")]
    return (*nodes, *off)


def _streams(view: Overview) -> tuple[Node, ...]:
    return tuple(
        Node(
            name=stream.topic,
            level=Level.WELL if stream.entries else Level.OFF,
            words="" if stream.entries else "nothing yet" if not stream.records_total else "all read, none kept",
            figure=f"{count(stream.entries)} entries",
            rate=stream.records_per_s,
        )
        for stream in view.streams
    )


def _groups(view: Overview) -> tuple[Node, ...]:
    names = dict.fromkeys([group.name for group in view.groups])
    names.update(dict.fromkeys(process.program for process in view.processes if process.kind == "processor"))
    nodes = []
    for name in names:
        places = [group for group in view.groups if group.name == name]
        verdicts = [group.verdict for group in places]
        verdicts += [process.verdict for process in view.processes if process.program == name]
        worst = _worst(verdicts)
        lag_s = max((group.lag_s for group in places if group.lag_s is not None), default=None)
        waiting = _sum([group.lag_records for group in places])
        figure = "no place in any stream yet" if lag_s is None or waiting is None else f"{lag_s:.1f} s behind"
        nodes.append(Node(name, worst.level, worst.words, figure, _sum([g.records_per_s for g in places])))
    return tuple(nodes)


def _tables(view: Overview) -> tuple[Node, ...]:
    return tuple(
        Node(
            name=table.name,
            level=Level.WELL if table.rows else Level.OFF,
            words="" if table.rows else "no rows yet",
            figure="rows n/a" if table.rows is None else f"{count(table.rows)} rows",
            rate=table.rows_per_min,
            unit="/min",
        )
        for table in view.tables
        if table.topic
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _frames(processes: Sequence[Process]) -> str:
    frames = _sum([process.frames_per_s for process in processes])
    return "" if frames is None else f"{rate(frames)} frames/s"
