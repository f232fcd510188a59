"""`fleet quality`: how whole each venue's record is, and with --prove the proof by SQL that nothing else is missing."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, NamedTuple

import typer

from common import clickhouse
from common.clickhouse import Store
from common.clock import now_ns
from common.columns import Table
from common.errors import Unreachable
from common.redis_readings import RedisReader
from common.redis_streams import Redis, all_shards
from common.settings import Settings
from common.settling import settled
from common.streams import Stream
from common.tables import TABLES
from monitoring.cli import exits
from monitoring.cli.asking import Call, ask_clickhouse, ask_redis
from monitoring.cli.exits import words_of
from monitoring.cli.printing import console, number, show_json, table, tell
from monitoring.cli.times import Wrong, moment_ns
from monitoring.cli.venue_quality import clocks_ahead, shown, told_of, venue_lines
from monitoring.continuity import Hole, Known, Proof, explained, extent_sql, holes_sql, letters_of, stretches_of

EXAMPLES = """
Examples:  fleet quality  |  fleet quality --since 10m --json | jq '.[] | {venue, in_sync_pct}'  |
fleet quality --prove  |  fleet quality --prove --json | jq '.[] | select(.doubled > 0)'
"""
WRITER = "clickhouse_writer"
EVENTS = """
SELECT venue, channel, kind, count() AS events, toString(max(received_time)) AS last
FROM feed_events WHERE received_time >= fromUnixTimestamp64Nano({since:Int64})
  AND kind NOT IN ('connected', 'disconnected')
GROUP BY venue, channel, kind ORDER BY events DESC
"""
LETTERS = (
    "SELECT id, stream, payload, encoding FROM dead_letters WHERE stream != '' ORDER BY received_time DESC LIMIT 100000"
)
TOLD = "SELECT detail FROM feed_events WHERE kind = 'gap' AND venue = 'tickfleet'"
EXPIRING = """
SELECT name FROM system.tables WHERE database = currentDatabase() AND position(create_table_query, ' TTL ') > 0
"""


class Committed(NamedTuple):
    """Up to which record the writer has committed each shard, and what became of dead letters."""

    ends: Mapping[str, int]
    settled: Sequence[str]


def quality(
    ctx: typer.Context,
    prove: Annotated[bool, typer.Option("--prove", help="Prove by SQL that every record stands once.")] = False,  # noqa: FBT002
    since: Annotated[str, typer.Option("--since", help="e.g. 10m, 1h, 7d, or a time in UTC.")] = "1h",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show how whole the record of each venue is, or prove that every record stands in its table once."""
    call: Call = ctx.obj
    if not prove:
        _show_venues(call.settings, since, as_json=as_json)
        return
    proofs = asyncio.run(_proofs(call.settings, _committed(call.settings)))
    if as_json:
        show_json([{**asdict(proof), "proven": proof.is_proven} for proof in proofs])
    else:
        _show_proofs(proofs)
    if not all(proof.is_proven for proof in proofs):
        raise typer.Exit(exits.DEGRADED)


def _show_venues(settings: Settings, since: str, *, as_json: bool) -> None:
    try:
        since_ns = moment_ns(since)
    except Wrong as error:
        tell(str(error))
        raise typer.Exit(exits.USAGE) from error
    lines = venue_lines(settings, since_ns)
    for words in clocks_ahead(lines):
        tell(words)
    events = ask_clickhouse(settings, EVENTS, {"since": since_ns})
    if as_json:
        show_json(told_of(lines, events))
        return
    console().print(shown(lines, since))
    cells = [(row[0], row[1], row[2], number(row[3]), str(row[4])) for row in events.iter_rows()]
    console().print(table("what was told", ("venue", "channel", "kind", "events>", "last"), cells))


def _committed(settings: Settings) -> Committed:
    """Return what Redis knows of how far the writer is; what is behind that is still on its way."""

    async def ask(redis: Redis) -> Committed:
        reading = await RedisReader(redis).read(now_ns())
        numbers = {shard.key: (shard.stream, shard.number) for shard in await all_shards(redis)}
        ends = {
            place_of(*numbers[group.key]): group.position
            for group in reading.groups
            if group.name == WRITER and group.position is not None and group.key in numbers
        }
        return Committed(ends, list((await settled(redis)).values()))

    try:
        return ask_redis(settings, ask)
    except Unreachable as error:
        tell(*words_of(error), "only what lies between the first and the last row of each shard is proven")
        return Committed({}, [])


def place_of(stream: Stream, shard: int) -> str:
    """Return a name for a shard that does not depend on how many there are."""
    return f"{stream.topic}:{shard}"


async def _proofs(settings: Settings, committed: Committed) -> list[Proof]:
    store = Store(clickhouse.connect(settings))
    expiring = (await store.query(EXPIRING)).to_series().to_list()
    details = (await store.query(TOLD)).to_series().to_list()
    stretches = stretches_of(details, committed.settled, WRITER)
    known = Known(letters_of(await store.query(LETTERS)), stretches, frozenset(expiring))
    proofs: list[Proof] = []
    for each in TABLES:
        if each.engine == "MergeTree":  # the others keep the newest version of a record only
            proofs += await _of_table(store, each, known, committed.ends)
    return proofs


async def _of_table(store: Store, of: Table, known: Known, ends: Mapping[str, int]) -> list[Proof]:
    extents = await store.query(extent_sql(of))
    found = {
        int(shard): (int(first), int(last), int(rows), int(own)) for shard, first, last, rows, own in extents.rows()
    }
    of_topic = [int(place.rpartition(":")[2]) for place in ends if place.rpartition(":")[0] == of.source.topic]
    count = max([1, *(shard + 1 for shard in (*found, *of_topic))])
    proofs = []
    for shard in sorted({*found, *of_topic}):
        end = ends.get(place_of(of.source, shard))
        first, last, rows, distinct = found.get(shard, (0, -1, 0, 0))
        seen = 0 if last < 0 else last - first + 1
        stretches = [(0, first)] if seen and first else []
        if distinct < seen:
            stretches += (await store.query(holes_sql(of), {"shard": shard})).rows()
        if end is not None and end > last + 1:
            stretches.append((last + 1, end))
        key = of.source.key(shard, count)
        holes = [
            piece for start, stop in stretches for piece in explained(Hole(of.name, shard, start, stop, ""), key, known)
        ]
        proofs.append(Proof(of.name, shard, first, max(last + 1, end or 0), rows, rows - distinct, tuple(holes)))
    return proofs


def _show_proofs(proofs: list[Proof]) -> None:
    columns = ("table", "shard>", "from>", "to>", "rows>", "doubled>", "missing>", "unexplained>", "")
    cells = [
        (
            proof.table,
            str(proof.shard),
            number(proof.first),
            number(proof.end),
            number(proof.rows),
            number(proof.doubled),
            number(sum(hole.records for hole in proof.holes)),
            number(sum(hole.records for hole in proof.holes if not hole.why)),
            "proven" if proof.is_proven else "NOT PROVEN",
        )
        for proof in proofs
    ]
    console().print(table("every record once, by its running number", columns, cells))
    holes = [hole for proof in proofs for hole in proof.holes]
    if holes:
        console().print(table("holes", ("table", "shard>", "from>", "to>", "records>", "explained by"), _rows(holes)))


def _rows(holes: list[Hole]) -> list[tuple[str, ...]]:
    return [
        (hole.table, str(hole.shard), *map(number, (hole.start, hole.stop, hole.records)), hole.why or "NOTHING")
        for hole in holes
    ]
