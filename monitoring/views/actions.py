"""/actions: what people did to the fleet, from the pages and at a prompt, newest first."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from common.clickhouse import Store
from common.clock import NS_PER_S
from common.codec import decode_lines
from common.errors import UnreadableRecord
from common.records import Action
from common.redis_streams import Redis
from common.streams import ACTIONS
from monitoring.desk import Answer, AsOf, Desk
from monitoring.page import Look, Nothing
from monitoring.watch import Snapshot

EVERY_S = 2.0
MOST = 200
NEWEST = """
SELECT '' AS venue, '' AS symbol, toUnixTimestamp64Nano(received_time) AS received_ns, who, way, action, subject,
       command, before, after, outcome
FROM actions ORDER BY received_time DESC, offset DESC LIMIT 200 SETTINGS max_execution_time = 4
"""


@dataclass(frozen=True)
class Done:
    """Something that was done, or tried."""

    received_ns: int
    age_s: float
    who: str
    way: str
    action: str
    subject: str
    command: str
    before: str
    after: str
    outcome: str


@dataclass(frozen=True)
class ActionsPage:
    """The newest of them; either server may be away."""

    rows: tuple[Done, ...]
    store: AsOf
    redis: AsOf


@dataclass(frozen=True)
class Found:
    """What stands in the table, and what lies in the stream."""

    stored: Answer[tuple[Action, ...]]
    lying: Answer[tuple[Action, ...]]


async def ask(desk: Desk, given: Nothing, shot: Snapshot) -> Found:
    """Return what both servers know."""
    del given, shot
    stored = await desk.of_store("actions", EVERY_S, _stored)
    return Found(stored, await desk.of_redis("actions lying", EVERY_S, _lying))


async def _stored(store: Store) -> tuple[Action, ...]:
    return tuple(msgspec.convert(row, Action) for row in (await store.query(NEWEST)).to_dicts())


async def _lying(redis: Redis) -> tuple[Action, ...]:
    found: list[Action] = []
    for _, fields in await redis.xrevrange(ACTIONS.key(0, 1), count=MOST):
        try:
            found += decode_lines(fields.get(b"data", b""), Action)
        except UnreadableRecord:
            continue  # /streams/actions shows it as it lies there
    return tuple(found)


def view(look: Look) -> ActionsPage:
    """Return each once, the newest first."""
    found: Found = look.found
    known = {(one.received_ns, one.action, one.subject): one for one in found.stored.value or ()}
    known |= {(one.received_ns, one.action, one.subject): one for one in found.lying.value or ()}
    newest = sorted(known.values(), key=lambda one: one.received_ns, reverse=True)[:MOST]
    return ActionsPage(
        rows=tuple(_done(one, look.now_ns) for one in newest),
        store=found.stored.as_of(look.now_ns),
        redis=found.lying.as_of(look.now_ns),
    )


def _done(one: Action, now_ns: int) -> Done:
    facts = {name: value for name, value in msgspec.structs.asdict(one).items() if name in Done.__annotations__}
    return Done(age_s=(now_ns - one.received_ns) / NS_PER_S, **facts)


def lines(page: ActionsPage) -> Iterator[Done]:
    """Return what is shown, whole."""
    yield from page.rows
