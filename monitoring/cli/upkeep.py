"""What the doctor looks at beside the servers: groups that nobody reads, what was left behind, tables, venues, time."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

import polars as pl

from common.clock import now_ns
from common.errors import StoreRefused, Unreachable
from common.readings import ProgramReading, RedisReading, text_of
from common.redis_readings import RedisReader
from common.redis_streams import Redis
from common.settings import Settings
from common.tables import REMOVED_ROWS, TABLES
from monitoring.cli.asking import ask_clickhouse, ask_redis
from monitoring.cli.findings import Finding, fine, judged
from monitoring.doing.connections import Tried, tried

LEFT_BEHIND_S = 600.0  # a consumer that has held entries for so long without a word
WINDOW = """
SELECT name, toUInt32OrZero(extract(create_table_query, 'non_replicated_deduplication_window = (\\\\d+)')) AS kept
FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND engine NOT LIKE 'Replicated%'
"""
ZONE = "SELECT timezone() AS zone"
Held = tuple[str, str, int, float]  # stream, consumer, entries, seconds


def of_upkeep(settings: Settings) -> Iterator[Finding]:
    """Yield what was found; nothing of a server that does not answer."""
    try:
        reading, held = ask_redis(settings, _look)
    except Unreachable:
        return
    yield from of_groups(reading)
    yield of_consumers(held)
    try:
        kept = ask_clickhouse(settings, WINDOW)
        yield of_windows({str(name): int(count) for name, count in kept.iter_rows()})
        yield of_time_zone(ask_clickhouse(settings, ZONE))
    except StoreRefused:
        pass
    yield from of_venues(settings, reading.programs or ())


async def _look(redis: Redis) -> tuple[RedisReading, list[Held]]:
    reading = await RedisReader(redis).read(now_ns())
    held: list[Held] = []
    for group in reading.groups:
        found = await redis.xinfo_consumers(group.key, group.name) if group.pending_entries else ()
        held += [(group.key, text_of(one["name"]), int(one["pending"]), int(one["idle"]) / 1000) for one in found]
    return reading, held


def of_groups(reading: RedisReading) -> Iterator[Finding]:
    """Judge groups whose program is not to run: what they have not read is never trimmed."""
    running = {program.program for program in reading.programs or () if program.enabled}
    topics: defaultdict[str, list[str]] = defaultdict(list)
    for group in reading.groups:
        if running and group.name not in running:
            topics[group.name].append(group.topic)
    for name, theirs in topics.items():
        found = f"nobody reads it on {', '.join(sorted(set(theirs)))}: what it has not read is never trimmed"
        yield judged(f"group {name}", found, warning=f"start its program, or: fleet forget {name}")
    if not topics:
        yield fine("groups", "each has a program that is to run")


def of_consumers(held: Sequence[Held]) -> Finding:
    """Judge consumers that hold entries and have said nothing for long."""
    old = [one for one in held if one[2] and one[3] > LEFT_BEHIND_S]
    if not old:
        return fine("consumers", "none holds entries without a word")
    key, name, entries, idle_s = old[0]
    found = f"{name} has held {entries} entries of {key} for {idle_s / 60:.0f} minutes"
    return judged("consumers", found, warning="supervisorctl restart its program: it takes up what it was given")


def of_windows(kept: dict[str, int]) -> Finding:
    """Judge whether each table remembers which inserts it has: without it a repeated insert would double rows."""
    ours = {table.name for table in (*TABLES, *REMOVED_ROWS)}
    without = sorted(name for name, count in kept.items() if name in ours and not count)
    fix = f"ALTER TABLE {without[0]} MODIFY SETTING non_replicated_deduplication_window = 10000" if without else ""
    found = f"{', '.join(without)} forget their inserts" if without else f"{len(ours & kept.keys())} tables remember"
    return judged("dedup window", found, fault=fix)


def of_time_zone(answer: pl.DataFrame) -> Finding:
    """Tell the zones; none of them matters to what is stored and shown."""
    return fine("time zone", f"{time.strftime('%Z (%z)')} here, {answer['zone'][0]} in ClickHouse; all we keep is UTC")


def of_venues(settings: Settings, programs: Sequence[ProgramReading]) -> Iterator[Finding]:
    """Judge whether the venues that are to be recorded can be reached from here; name the keys that are missing."""
    ingesters = [program for program in programs if program.kind == "ingester"]
    wanted = [program.program for program in ingesters if program.enabled]
    for name, doors in zip(wanted, asyncio.run(_reach(settings, wanted)), strict=True):
        yield of_doors(name, doors)
    yield from (fine(f"{program.program} key", f"off: {program.why}") for program in ingesters if not program.enabled)


async def _reach(settings: Settings, programs: Sequence[str]) -> list[Sequence[Tried]]:
    return await asyncio.gather(*(tried(settings, program) for program in programs))


def of_doors(program: str, doors: Sequence[Tried]) -> Finding:
    """Judge how the addresses of one program answered."""
    shut = [door for door in doors if not door.is_well]
    if not shut:
        return fine(f"{program} venue", "; ".join(f"{door.what} in {door.took_ms:.0f} ms" for door in doors))
    found = "; ".join(f"{door.what} {door.words}" for door in shut)
    fix = "look at the network, the firewall, and the venue's own status page; recording goes on when it answers"
    return judged(f"{program} venue", found, warning=fix)
