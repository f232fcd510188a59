"""Whether all that was appended stands in its table: appended = stored + dead + passed by + waiting, by topic."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from common.clickhouse import Store
from common.columns import records_of
from common.errors import Unreachable
from common.readings import whole_of
from common.redis_streams import Redis, RedisError, all_shards
from common.settling import readdressed, settled
from common.tables import TABLES

WRITER = "clickhouse_writer"
COUNTED = tuple(table for table in TABLES if table.engine == "MergeTree")  # the others keep the newest version only
STORED = " UNION ALL ".join(
    f"SELECT '{table.source.topic}' AS topic, count() AS rows FROM {records_of(table, ('offset',))}"  # noqa: S608
    for table in COUNTED
)
DEAD = """
SELECT stream, count() AS letters FROM dead_letters WHERE stream != '' AND program = {writer:String} GROUP BY stream
SETTINGS max_execution_time = 4
"""
EXPIRING = """
SELECT name FROM system.tables WHERE database = currentDatabase() AND position(create_table_query, ' TTL ') > 0
"""


@dataclass(frozen=True)
class Tally:
    """What Redis knows of a topic at one instant: records appended, committed by the writer, and in its hand."""

    appended: int
    committed: int
    in_hand: int


@dataclass(frozen=True)
class Balance:
    """
    A topic's reckoning; `off` is by how many records it does not come out even: below 0 missing, above 0 too many.

    Rows were counted between two looks at Redis, so that what moved meanwhile is no fault. `why` says why it cannot be
    told, and is empty where it can.
    """

    topic: str
    table: str
    appended: int | None
    stored: int | None
    dead: int
    passed: int
    waiting: int | None
    off: int | None
    why: str


async def balances_of(redis: Redis, store: Store) -> tuple[Balance, ...]:
    """Return the balance of every topic that has a table."""
    expiring = set((await store.query(EXPIRING))["name"].to_list())
    try:
        before = await _tallies(redis)
        rows = {row["topic"]: int(row["rows"]) for row in (await store.query(STORED)).to_dicts()}
        letters = (await store.query(DEAD, {"writer": WRITER})).to_dicts()
        after, passed = await _tallies(redis), await _passed(redis)
    except (RedisError, OSError) as error:
        raise Unreachable("redis", reason=str(error)) from error
    dead = _by_topic({str(row["stream"]): int(row["letters"]) for row in letters})
    found = []
    for table in TABLES:
        topic = table.source.topic
        why = "a merge keeps the newest version of a row only" if table not in COUNTED else ""
        why = "older rows expire" if table.name in expiring else why
        aside = (dead.get(topic, 0), passed.get(topic, 0))
        found.append(balance(topic, table.name, (before.get(topic), after.get(topic)), (rows.get(topic), *aside), why))
    return tuple(found)


def balance(
    topic: str, table: str, looks: tuple[Tally | None, Tally | None], counts: tuple[int | None, int, int], why: str
) -> Balance:
    """Return the balance of what was counted between two looks at Redis."""
    before, after = looks
    stored, dead, passed = counts
    if before is None or after is None:
        return Balance(topic, table, None, stored, dead, passed, None, None, why or "nothing was appended yet")
    waiting = after.appended - after.committed
    off = None
    if not why and stored is not None:
        there = stored + dead + passed
        off = min(0, there - before.committed) or max(0, there - after.committed - after.in_hand)
    return Balance(topic, table, after.appended, stored, dead, passed, waiting, off, why)


async def _tallies(redis: Redis) -> dict[str, Tally]:
    shards = await all_shards(redis)
    asked = redis.pipeline(transaction=True)
    for shard in shards:
        asked.hget(shard.facts, "offset")
        asked.hmget(shard.group(WRITER), "position", "manifest")
    replies = await asked.execute() if shards else []
    parts: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for shard, offset, (position, manifest) in zip(shards, replies[::2], replies[1::2], strict=True):
        parts[shard.stream.topic].append((whole_of(offset, 0), whole_of(position, 0), _in_hand(manifest)))
    return {topic: Tally(*(sum(column) for column in zip(*rows, strict=True))) for topic, rows in parts.items()}


def _in_hand(manifest: bytes | None) -> int:
    if not manifest:
        return 0
    named = json.loads(manifest)
    return int(named["stop"]) - int(named["start"])


async def _passed(redis: Redis) -> dict[str, int]:
    """Return how many records were put back for other groups: the writer passes them by."""
    places = filter(None, map(readdressed, (await settled(redis)).values()))
    counts: defaultdict[str, int] = defaultdict(int)
    for place in places:
        if place.group != WRITER:
            counts[place.key] += place.stop - place.start
    return _by_topic(counts)


def _by_topic(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts by stream key as counts by topic: `stream:{books:0}` is a part of `books`."""
    found: defaultdict[str, int] = defaultdict(int)
    for key, count in counts.items():
        found[key.removeprefix("stream:").strip("{}").partition(":")[0]] += count
    return dict(found)
