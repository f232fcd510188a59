"""Where in a shard a person means: its beginning, its end, a time, so many records on or back."""

import re
from dataclasses import dataclass
from typing import Any

from common.clock import NS_PER_MS
from common.readings import text_of
from common.redis_streams import Redis, Shard
from monitoring.cli.times import Wrong, moment_ns
from monitoring.doing.deeds import NotDone
from monitoring.doing.groups import Place

NOWHERE = "0-1"  # the id before the first entry
SHIFT = re.compile(r"([+-])(\d{1,18})")


@dataclass(frozen=True)
class Spot:
    """A place in a shard: a running number, and the id of the last entry whose records all lie before it."""

    position: int
    last_id: str


@dataclass(frozen=True)
class Entry:
    """An entry's id and its running numbers."""

    id: str
    start: int
    stop: int


async def spot_of(redis: Redis, place: Place, to: str) -> Spot:
    """
    Return the spot that a person means: beginning, newest, a time such as 2026-11-20T10:00 or 30m ago, or +500, -500.

    Raises:
        NotDone: it is none of these.
    """
    first = await _first(redis, place.shard, "-")
    end = await _end(redis, place)
    if to == "newest" or first is None:
        return end
    if to == "beginning":
        return Spot(first.start, NOWHERE)
    if shift := SHIFT.fullmatch(to):
        wanted = (place.position or 0) + int(shift[2]) * (1 if shift[1] == "+" else -1)
        return end if wanted >= end.position else await _at_number(redis, place.shard, max(wanted, first.start))
    try:
        time_ms = moment_ns(to) // NS_PER_MS
    except Wrong:
        raise NotDone(f"{to}: expected beginning, newest, 30m, a time such as 2026-11-20T10:00, +500 or -500") from None
    found = await _first(redis, place.shard, str(time_ms))
    return end if found is None else Spot(found.start, await _before(redis, place.shard, found.id))


async def _end(redis: Redis, place: Place) -> Spot:
    """Return the spot behind the newest entry of ours: its number and its id in one answer, as more is appended."""
    before = "+"
    while found := await redis.xrevrange(place.shard.key, before, "-", count=1):
        entry_id, fields = found[0]
        entry = _entry(text_of(entry_id), fields)
        if entry is not None:
            return Spot(entry.stop, entry.id)
        before = f"({text_of(entry_id)}"
    return Spot(place.offset, place.last_id)


async def _at_number(redis: Redis, shard: Shard, wanted: int) -> Spot:
    """Return the spot of a running number, found by halving: ids and numbers rise together."""
    last = await _last_id(redis, shard)
    first = await _first(redis, shard, "-")
    low, high = (_ms(first.id), _ms(last)) if first and last else (0, 0)
    while low < high:
        middle = (low + high + 1) // 2
        entry = await _first(redis, shard, str(middle))
        low, high = (middle, high) if entry is not None and entry.start <= wanted else (low, middle - 1)
    entry = await _first(redis, shard, str(low))
    while entry is not None and entry.stop <= wanted:
        entry = await _first(redis, shard, f"({entry.id}")
    if entry is None:
        return Spot(wanted, last or NOWHERE)
    return Spot(max(wanted, entry.start), await _before(redis, shard, entry.id))


async def _first(redis: Redis, shard: Shard, start: str) -> Entry | None:
    """Return the first entry of ours from an id on; what somebody else appended is passed by."""
    while True:
        found = await redis.xrange(shard.key, start, "+", count=1)
        if not found:
            return None
        entry_id, fields = found[0]
        entry = _entry(text_of(entry_id), fields)
        if entry is not None:
            return entry
        start = f"({text_of(entry_id)}"


def _entry(entry_id: str, fields: dict[bytes, Any]) -> Entry | None:
    try:
        start = int(fields[b"o"])
        return Entry(entry_id, start, start + int(fields[b"n"]))
    except (KeyError, ValueError):
        return None


async def _before(redis: Redis, shard: Shard, entry_id: str) -> str:
    found = await redis.xrevrange(shard.key, f"({entry_id}", "-", count=1)
    return text_of(found[0][0]) if found else NOWHERE


async def _last_id(redis: Redis, shard: Shard) -> str:
    found = await redis.xrevrange(shard.key, "+", "-", count=1)
    return text_of(found[0][0]) if found else ""


def _ms(entry_id: str) -> int:
    return int(entry_id.partition("-")[0])
