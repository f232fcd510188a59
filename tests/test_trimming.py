"""Trimming takes only what every group has committed: never an unread entry, whoever asks."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.inbox import Inbox
from common.outbox import Outbox, Packet
from common.packing import pack
from common.place import Carried
from common.redis_streams import Shard, connect, trim
from common.settings import Settings
from common.streams import TRADES

pytestmark = pytest.mark.redis

SHARD = Shard(TRADES, 0, 1)
NOW = "99999999999999-0"  # nothing is kept for its age


@pytest.fixture
async def redis(redis_only):
    client = connect(Settings(redis_host="127.0.0.1", redis_port=redis_only.redis_port))
    yield client
    await client.aclose()


class Reader:
    """A group that reads and commits entry by entry, and remembers what it saw."""

    def __init__(self, redis, name):
        self.inbox, self.saw, self.position = Inbox(redis, SHARD, name), [], 0

    async def start(self):
        await self.inbox.register()
        await self.inbox.acquire("tester", None)

    async def read(self, entries):
        for entry in await self.inbox.read(">", count=entries, block_ms=None):
            stop = entry.offset + entry.records
            await self.inbox.commit(self.position, stop, [entry.id], Carried())
            self.position = stop
            self.saw.append(entry.data)


async def append(source, numbers):
    for number in numbers:
        await source.append(Packet(source.batch + 1, pack([b"%d" % number])))


async def test_an_unread_backlog_survives_any_number_of_trims(redis):
    source, reader = Outbox(redis, SHARD, "tester"), Reader(redis, "writer")
    await source.claim()
    await reader.start()
    await append(source, range(1000))
    await reader.read(10)
    for _ in range(3):
        await trim(redis, SHARD, ["writer"], NOW)
    # The tempting rule, length minus pending, calls the 990 entries that were never delivered acknowledged.
    await reader.read(1000)

    assert [b"%d" % number for number in range(1000)] == reader.saw


async def test_a_group_that_has_not_begun_yet_holds_everything(redis):
    source, reader = Outbox(redis, SHARD, "tester"), Reader(redis, "writer")
    await source.claim()
    await reader.start()
    await append(source, range(5))
    await reader.read(5)

    assert 0 == await trim(redis, SHARD, ["writer", "not_started_yet"], NOW)
    assert 4 == await trim(redis, SHARD, ["writer"], NOW)


async def test_a_strangers_group_holds_what_it_has_not_acknowledged(redis):
    source = Outbox(redis, SHARD, "tester")
    await source.claim()
    await append(source, range(5))
    await redis.xgroup_create(SHARD.key, "stranger", id="0")
    (_, entries), *_ = await redis.xreadgroup("stranger", "me", {SHARD.key: ">"}, count=3)
    await redis.xack(SHARD.key, "stranger", entries[0][0])

    await trim(redis, SHARD, [], NOW)

    assert entries[1][0] == (await redis.xrange(SHARD.key))[0][0]


async def test_what_is_young_is_kept_although_everybody_has_read_it(redis):
    source, reader = Outbox(redis, SHARD, "tester"), Reader(redis, "writer")
    await source.claim()
    await reader.start()
    await append(source, range(5))
    await reader.read(5)

    assert 0 == await trim(redis, SHARD, ["writer"], "1-0")


async def test_what_was_committed_since_a_checkpoint_is_kept_for_the_next_owner(redis):
    source, reader = Outbox(redis, SHARD, "tester"), Reader(redis, "stateful")
    await source.claim()
    await reader.start()
    await append(source, range(5))
    await reader.read(2)
    (entry,) = await reader.inbox.read(">", count=1, block_ms=None)
    await reader.inbox.commit(2, 3, [entry.id], Carried(state=b"after three"))
    reader.position = 3
    await reader.read(2)
    await trim(redis, SHARD, ["stateful"], NOW)

    assert b"after three" == (await reader.inbox.checkpoint()).state
    assert [b"3", b"4"] == [found.data for found in await reader.inbox.behind(entry.id, count=10)]


STEPS = st.lists(st.sampled_from(["append", "trim", "a", "b"]), min_size=20, max_size=120)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, counts=st.lists(st.integers(1, 5), min_size=120, max_size=120))
async def test_every_group_sees_every_entry_once_whatever_the_order(redis, steps, counts):
    await redis.flushall()
    source, readers = Outbox(redis, SHARD, "tester"), {name: Reader(redis, name) for name in "ab"}
    await source.claim()
    for reader in readers.values():
        await reader.start()
    made = 0
    for step, count in zip(steps, counts, strict=False):
        if step == "append":
            await append(source, range(made, made + count))
            made += count
        elif step == "trim":
            await trim(redis, SHARD, ["a", "b"], NOW)
        else:
            await readers[step].read(count)
    for reader in readers.values():
        await reader.read(10_000)

    everything = [b"%d" % number for number in range(made)]
    assert [everything, everything] == [reader.saw for reader in readers.values()]
