"""The map: ingesters, streams, groups and tables in four columns, and the wires between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

from monitoring.facts import Overview, Process
from monitoring.verdicts import GRAVITY, Level, Verdict

HEIGHT = 1000  # of a column of wires, in its own units; its nodes stand at equal distances


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
class Wire:
    """A line between two columns: an SVG path in a box of 100 x 1000, as thick as it is busy."""

    path: str
    width: float
    level: Level
    words: str
    is_derived: bool = False


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
    """Return the map of an overview."""
    ingesters, streams, groups, tables = _ingesters(view), _streams(view), _groups(view), _tables(view)
    at = [{node.name: place for place, node in enumerate(column)} for column in (ingesters, streams, groups, tables)]
    sizes = [len(column) for column in at]
    sources = [process for process in view.processes if process.kind == "ingester"]
    derived = [process for process in view.processes if process.kind == "processor"]
    return Map(
        ingesters=ingesters,
        streams=streams,
        groups=groups,
        tables=tables,
        into_streams=tuple(
            _wire(
                (at[0][process.program], sizes[0]),
                (at[1][topic], sizes[1]),
                level=process.verdict.level,
                rate=process.records_per_s,
                words=f"{process.name} to {topic}",
            )
            for process in sources
            for topic in process.feeds
            if topic in at[1] and process.program in at[0]
        ),
        into_groups=(
            *(
                _wire(
                    (at[1][group.topic], sizes[1]),
                    (at[2][group.name], sizes[2]),
                    level=group.verdict.level,
                    rate=group.records_per_s,
                    words=f"{group.topic} to {group.name}",
                )
                for group in view.groups
                if group.topic in at[1]
            ),
            *_derived(derived, at[1], at[2]),
        ),
        into_tables=tuple(
            _wire(
                (at[2][group.name], sizes[2]),
                (at[3][table.name], sizes[3]),
                level=group.verdict.level,
                rate=table.rows_per_min and table.rows_per_min / 60,
                words=f"{group.name} to {table.name}",
            )
            for table in view.tables
            for group in view.groups
            if group.topic == table.topic and group.name == "clickhouse_writer" and table.name in at[3]
        ),
    )


def _derived(processes: Sequence[Process], streams: dict[str, int], groups: dict[str, int]) -> list[Wire]:
    return [
        _wire(
            (streams[topic], len(streams)),
            (groups[process.program], len(groups)),
            level=process.verdict.level,
            rate=process.records_per_s,
            words=f"{process.program} makes {topic}",
            is_derived=True,
        )
        for process in processes
        for topic in process.feeds
        if topic in streams and process.program in groups
    ]


def _wire(
    start: tuple[int, int],
    end: tuple[int, int],
    *,
    level: Level,
    rate: float | None,
    words: str,
    is_derived: bool = False,
) -> Wire:
    y1, y2 = (round(HEIGHT * (place + 0.5) / size, 1) for place, size in (start, end))
    width = 1.0 + (log10(1 + rate) if rate else 0.0)
    return Wire(f"M0 {y1}C45 {y1} 55 {y2} 100 {y2}", round(width, 2), level, words, is_derived)


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    return max(verdicts, key=lambda verdict: GRAVITY.index(verdict.level))


def _ingesters(view: Overview) -> tuple[Node, ...]:
    running = [process for process in view.processes if process.kind == "ingester"]
    nodes = [
        Node(
            name=program,
            level=_worst([p.verdict for p in running if p.program == program]).level,
            words=_worst([p.verdict for p in running if p.program == program]).words,
            figure="",
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
            figure=f"{stream.entries:,} entries".replace(",", "\u202f"),
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
            figure="rows n/a" if table.rows is None else f"{table.rows:,} rows".replace(",", "\u202f"),
            rate=table.rows_per_min,
            unit="/min",
        )
        for table in view.tables
        if table.topic
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
