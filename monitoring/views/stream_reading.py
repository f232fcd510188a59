"""What a page of a stream asks Redis: a page of entries, one of them, or a search; and the same as a command."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query

from common.redis_streams import Redis
from common.streams import BY_TOPIC
from monitoring import entries
from monitoring.desk import Answer, Desk
from monitoring.entries import PAGE, Lying, Place, place_of
from monitoring.page import NotThere
from monitoring.prompts import fleet
from monitoring.watch import Snapshot

NEWEST_EVERY_S = 0.9
SEARCHED_EVERY_S = 5.0  # a search reads ten thousand records
MOST_SHOWN = 500  # records of one entry
LAST = 2**63 - 1  # above every number that an id has behind its dash
ALL_SHARDS = 1_000_000
SECONDS_DIGITS = 11  # a time of so few digits is in seconds
Word = Annotated[str, Query(max_length=300)]


@dataclass(frozen=True)
class Given:
    """
    What is asked for. `before`, `after` and `entry` are places; `at` is an id, or a time in UTC; `where` field=value.

    Only one of them is heeded, in the order entry, at, after, before; `where` goes with `before`.
    """

    name: str
    before: Word = ""
    after: Word = ""
    at: Word = ""
    entry: Word = ""
    where: Word = ""


@dataclass(frozen=True)
class Read:
    """What Redis gave: entries, with the number of the one record that is meant where it is not all of them."""

    rows: tuple[tuple[Lying, int | None], ...] = ()
    keys: tuple[str, ...] = ()
    searched: int | None = None
    last: Place | None = None
    complaint: str = ""


async def ask(desk: Desk, given: Given, shot: Snapshot) -> Answer[Read]:
    """Return the entries that are asked for; raise NotThere where there is no such stream."""
    del shot
    if given.name not in BY_TOPIC:
        raise NotThere(f"no stream of that name; there are {', '.join(BY_TOPIC)}")
    every_s = SEARCHED_EVERY_S if given.where else NEWEST_EVERY_S
    return await desk.of_redis(("stream", given), every_s, lambda redis: _read(redis, given))


async def _read(redis: Redis, given: Given) -> Read:
    shards = await entries.shards_of(redis, given.name)
    keys = tuple(shard.key for shard in shards)
    start, complaint = start_of(given)
    if complaint or not shards:
        return Read(keys=keys, complaint=complaint)
    if given.entry and start:
        found = await entries.entry_at(redis, shards, start)
        rows = tuple((found, number) for number in range(min(len(found.texts()), MOST_SHOWN))) if found else ()
        return Read(rows, keys, complaint="" if found else "that entry is not there: it was trimmed, or never was")
    if given.where:
        name, _, value = given.where.partition("=")
        hits, searched, last = await entries.search(redis, shards, start, (name.strip(), value.strip()))
        return Read(tuple(hits), keys, searched, last)
    if given.after and start:
        lying = await entries.page_after(redis, shards, start)
    else:
        lying = await entries.page_before(redis, shards, start)
    last = lying[-1].place if len(lying) == PAGE or (given.after and lying) else None
    return Read(tuple((entry, None) for entry in lying), keys, None, last)


def start_of(given: Given) -> tuple[Place | None, str]:
    """Return the place where reading begins, and what is wrong with what was asked."""
    if given.where and not given.where.partition("=")[2].strip():
        return None, "expected field=value, such as symbol=BTCUSDT"
    if given.at and not given.entry:
        at = _at(given.at.strip())
        return at, "" if at else "expected an id such as 1795214079425-0, or a time such as 2026-03-11 12:00:00"
    word = given.entry or given.after or given.before
    place = place_of(word) if word else None
    return place, "expected a place such as 1795214079425-0.0" if word and place is None else ""


def _at(text: str) -> Place | None:
    """Return a place behind every entry that is not younger than an id or a time."""
    found = place_of(text) if "." not in text else None
    if found is not None and not (is_seconds := len(str(found.ms)) <= SECONDS_DIGITS):
        return Place(found.ms, found.number if "-" in text else LAST, ALL_SHARDS)
    if found is not None and is_seconds:
        return Place(found.ms * 1000, LAST, ALL_SHARDS)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Place(max(0, int(moment.timestamp() * 1000)), LAST, ALL_SHARDS)


def command_of(given: Given, read: Read) -> str:
    """Return what shows the same at a prompt; a stream in shards is asked shard by shard."""
    key = read.keys[0] if read.keys else f"stream:{given.name}"
    place, _ = start_of(given)
    if given.entry and place:
        key = next((one for one in read.keys if one.endswith(f":{place.shard}}}")), key)
        return f"redis-cli XRANGE '{key}' {place.id} {place.id}"
    if given.where:
        return "" if given.before else _search(given)
    if given.after and place:
        return f"redis-cli XRANGE '{key}' '({place.id}' + COUNT {PAGE}"
    edge = "+" if place is None else f"'({place.id}'" if given.before else place.id.partition("-")[0]
    return f"redis-cli XREVRANGE '{key}' {edge} - COUNT {PAGE}"


def _search(given: Given) -> str:
    name, _, value = given.where.partition("=")
    return fleet("tail", given.name, "-n", str(PAGE), "--where", f"{name.strip()}={value.strip()}")
