"""Entries of a topic, its shards as one: newest first, page by page, a bounded search, and nobody's place is moved."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import NamedTuple

import msgspec

from common.clock import NS_PER_MS
from common.readings import text_of, whole_of
from common.redis_streams import Redis, Shard, all_shards

PAGE = 50
SCAN = 200  # entries of each shard that a search reads at once
MOST_SEARCHED = 10_000  # records
MOST_BYTES = 32 * 2**20  # and bytes


class Place(NamedTuple):
    """Where an entry stands among those of all shards: by its id, then by its shard."""

    ms: int
    number: int
    shard: int

    @property
    def id(self) -> str:
        """Return the entry's id."""
        return f"{self.ms}-{self.number}"

    @property
    def word(self) -> str:
        """Return it as it stands in an address."""
        return f"{self.ms}-{self.number}.{self.shard}"


@dataclass(frozen=True)
class Lying:
    """An entry as it lies in a shard; `group` is the one that it is meant for alone, if it was put back."""

    place: Place
    key: str
    offset: int
    records: int
    group: str
    data: bytes

    @property
    def time_ns(self) -> int:
        """Return when it was appended, by Redis's clock."""
        return self.place.ms * NS_PER_MS

    def texts(self) -> list[bytes]:
        """Return its records, one text each."""
        return self.data.split(b"\n")


class Found(NamedTuple):
    """Records that fit, how many were looked through for them, and where to go on if that was not all."""

    hits: list[tuple[Lying, int]]
    searched: int
    last: Place | None


def place_of(word: str) -> Place | None:
    """Return the place that a word of an address names: `1795214079425-0.2`, an id, or milliseconds; None if none."""
    stem, _, shard = word.partition(".")
    ms, _, number = stem.partition("-")
    parts = (ms, number or "0", shard or "0")
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):  # noqa: PLR2004  fits 64 bits
        return None
    return Place(*map(int, parts))


async def shards_of(redis: Redis, topic: str) -> list[Shard]:
    """Return the shards of a topic that anybody has written to."""
    return [shard for shard in await all_shards(redis) if shard.stream.topic == topic]


async def page_before(redis: Redis, shards: Sequence[Shard], before: Place | None, count: int = PAGE) -> list[Lying]:
    """Return up to `count` entries, newest first, that stand before a place, or the newest of all."""
    asked = redis.pipeline(transaction=False)
    for shard in shards:
        asked.xrevrange(shard.key, max=_edge(before, shard, is_upper=True), count=count)
    rows = [_lying(shard, reply) for shard, reply in zip(shards, await asked.execute(), strict=True)]
    return [entry for entry, _ in zip(merge(*rows, key=_order, reverse=True), range(count), strict=False)]


async def page_after(redis: Redis, shards: Sequence[Shard], after: Place, count: int = PAGE) -> list[Lying]:
    """Return up to `count` entries, newest first, that follow a place most closely."""
    asked = redis.pipeline(transaction=False)
    for shard in shards:
        asked.xrange(shard.key, min=_edge(after, shard, is_upper=False), count=count)
    rows = [_lying(shard, reply) for shard, reply in zip(shards, await asked.execute(), strict=True)]
    return [entry for entry, _ in zip(merge(*rows, key=_order), range(count), strict=False)][::-1]


async def entry_at(redis: Redis, shards: Sequence[Shard], place: Place) -> Lying | None:
    """Return the entry at a place, None if it is trimmed or never was."""
    for shard in shards:
        if shard.number == place.shard:
            found = _lying(shard, await redis.xrange(shard.key, min=place.id, max=place.id, count=1))
            return found[0] if found else None
    return None


async def search(redis: Redis, shards: Sequence[Shard], before: Place | None, wanted: tuple[str, str]) -> Found:
    """Return the newest records before a place of which a field has a value; a bounded number is looked through."""
    hits: list[tuple[Lying, int]] = []
    searched = size_bytes = 0
    while True:
        entries = await page_before(redis, shards, before, SCAN)
        for entry in entries:
            hits += [(entry, number) for number, text in enumerate(entry.texts()) if fits(text, wanted)]
            searched, size_bytes, before = searched + entry.records, size_bytes + len(entry.data), entry.place
            if len(hits) >= PAGE or searched >= MOST_SEARCHED or size_bytes >= MOST_BYTES:
                return Found(hits, searched, before)
        if len(entries) < SCAN:
            return Found(hits, searched, None)


def fits(text: bytes, wanted: tuple[str, str]) -> bool:
    """Return whether a record's field has a value, as it is written in JSON or as a text."""
    name, value = wanted
    if value.isascii() and value.isalnum() and value.encode() not in text:
        return False  # most do not have it anywhere, and need not be read
    try:
        record = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return isinstance(record, dict) and name in record and _word(record[name]) == value


def _word(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _order(entry: Lying) -> Place:
    return entry.place


def _edge(place: Place | None, shard: Shard, *, is_upper: bool) -> str:
    """Return the id from which a shard is read on, so that no entry comes twice although ids of shards may be equal."""
    if place is None:
        return "+"
    is_open = shard.number >= place.shard if is_upper else shard.number <= place.shard
    return f"({place.id}" if is_open else place.id


def _lying(shard: Shard, reply: Sequence[tuple[bytes, dict[bytes, bytes]]]) -> list[Lying]:
    return list(_each(shard, reply))


def _each(shard: Shard, reply: Sequence[tuple[bytes, dict[bytes, bytes]]]) -> Iterator[Lying]:
    for entry_id, held in reply:
        ms, _, number = text_of(entry_id).partition("-")
        yield Lying(
            place=Place(int(ms), int(number), shard.number),
            key=shard.key,
            offset=whole_of(held.get(b"o"), -1),
            records=whole_of(held.get(b"n"), 0),
            group=text_of(held.get(b"g")),
            data=held.get(b"data", b""),
        )
