"""What /dead-letters asks: the table, what has not reached it yet, and what became of those dealt with."""

import itertools
import re
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import msgspec
from fastapi import Query

from common.clickhouse import Store
from common.codec import decode_lines
from common.errors import UnreadableRecord
from common.records import DeadLetter
from common.redis_streams import Redis
from common.settling import settled
from common.streams import DEAD_LETTERS
from monitoring.asked import question
from monitoring.desk import Answer, Desk, of_now
from monitoring.doing.letters import AT_ONCE
from monitoring.watch import Snapshot

EVERY_S = 2.0
PAGE = 50
IN_STREAM = 200  # of the newest entries
DIGITS = re.compile("[0-9]+")
KIND = "replaceRegexpAll(reason, '[0-9]+', '#')"
LETTERS = """
SELECT id, venue, symbol, toUnixTimestamp64Nano(received_time) AS received_ns, stream, program, reason, attempts,
       payload, encoding
FROM dead_letters
WHERE ({id:String} = '' OR startsWith(id, {id:String})) AND ({kind:String} = '' OR $kind = {kind:String})
ORDER BY received_time $order, offset $order LIMIT {limit:UInt32} OFFSET {skip:UInt32} $bounded
"""
NEWEST, OLDEST = (question(LETTERS, kind=KIND, order=order) for order in ("DESC", "ASC"))
KINDS = question(
    """
SELECT $kind AS kind, program, stream, count() AS letters, toUnixTimestamp64Nano(max(received_time)) AS newest_ns
FROM dead_letters GROUP BY kind, program, stream ORDER BY newest_ns DESC LIMIT 200 $bounded
""",
    kind=KIND,
)
Word = Annotated[str, Query(max_length=2000)]


@dataclass(frozen=True)
class Given:
    """Which letters: one by its id, those of a kind of reason, or all; and which page of them."""

    id: Word = ""
    kind: Word = ""
    page: Annotated[int, Query(ge=1, le=100_000)] = 1


@dataclass(frozen=True)
class Stored:
    """What the table holds: a page of letters, and how many there are of each kind."""

    letters: tuple[DeadLetter, ...] = ()
    kinds: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Lying:
    """What Redis holds: letters that are still in the stream, and what became of those that were dealt with."""

    letters: tuple[DeadLetter, ...] = ()
    settled: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """Both answers."""

    stored: Answer[Stored]
    lying: Answer[Lying]


async def ask(desk: Desk, given: Given, shot: Snapshot) -> Found:
    """Return the letters that are asked for; either server may be away."""
    del shot
    stored = await desk.of_store(("letters", given), EVERY_S, lambda store: _stored(store, given))
    lying = await desk.of_redis("letters", EVERY_S, _lying)
    return Found(stored, lying)


async def chosen(desk: Desk, given: Given) -> list[DeadLetter]:
    """
    Return the letters that an action would touch, oldest first; of more than AT_ONCE the oldest, and one.

    Raises:
        Unreachable: one of the servers does not answer; which letters are meant is not known then.
    """
    lying = of_now(await desk.of_redis("letters", 0.0, _lying))
    found: dict[str, DeadLetter] = {}
    for skip in itertools.count(0, AT_ONCE):
        page = of_now(await desk.of_store(("chosen", given, skip), 0.0, partial(_oldest, given=given, skip=skip)))
        found |= {letter.id: letter for letter in page if letter.id not in lying.settled}
        if len(page) < AT_ONCE or len(found) > AT_ONCE:
            break
    if len(found) <= AT_ONCE:  # else what has not reached the table is younger than all of them
        found |= {one.id: one for one in lying.letters if fits(one, given) and one.id not in lying.settled}
    return sorted(found.values(), key=lambda letter: letter.received_ns)[: AT_ONCE + 1]


def kind_of(reason: str) -> str:
    """Return a reason without the numbers that differ from letter to letter."""
    return DIGITS.sub("#", reason)


def fits(letter: DeadLetter, given: Given) -> bool:
    """Return whether a letter is one of those asked for."""
    return letter.id.startswith(given.id) and given.kind in ("", kind_of(letter.reason))


async def _stored(store: Store, given: Given) -> Stored:
    wanted = {"id": given.id, "kind": given.kind, "limit": PAGE, "skip": (given.page - 1) * PAGE}
    return Stored(await _letters(store, wanted), (await store.query(KINDS)).to_dicts())


async def _oldest(store: Store, given: Given, skip: int) -> tuple[DeadLetter, ...]:
    return await _letters(store, {"id": given.id, "kind": given.kind, "limit": AT_ONCE, "skip": skip}, OLDEST)


async def _letters(store: Store, wanted: dict[str, Any], sql: str = NEWEST) -> tuple[DeadLetter, ...]:
    return tuple(msgspec.convert(row, DeadLetter) for row in (await store.query(sql, wanted)).to_dicts())


async def _lying(redis: Redis) -> Lying:
    found: list[DeadLetter] = []
    for _, fields in await redis.xrevrange(DEAD_LETTERS.key(0, 1), count=IN_STREAM):
        try:
            found += decode_lines(fields.get(b"data", b""), DeadLetter)
        except UnreadableRecord:
            continue  # /streams/dead_letters shows it as it lies there
    return Lying(tuple(found), await settled(redis))
