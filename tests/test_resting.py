"""A shard in which nothing comes: what is over by the clock is told once, whoever owns the shard."""

import asyncio

import msgspec
import pytest
from polars.testing import assert_frame_equal

from common.book_stat import BookStat
from common.clock import now_ns
from common.errors import Fenced
from common.heartbeat import Figures
from common.inbox import Inbox
from common.records import BookSnapshot, Candle
from common.redis_streams import Shard, connect
from common.settings import Settings
from common.streams import BOOK_SNAPSHOTS, BOOK_STATS, BOOKS, CANDLES, DEAD_LETTERS, FEED_EVENTS, TRADES
from processors.batch import Batch
from processors.books import Books
from processors.company import Company
from processors.consumer import Consumer
from processors.finishing import finish
from processors.frames import frame_of
from processors.gathering import gather
from processors.knowledge import Knowledge
from processors.memory import Memory
from processors.recovery import resume
from processors.registry import BAR_PROCESSOR, BOOK_PROCESSOR, of_program
from processors.resting import rest
from processors.sharing import Grant
from processors.targets import Named, StreamTarget
from tests.book_kit import SECOND_NS, START_NS, sorted_rows, turned, update
from tests.candle_kit import trade

pytestmark = pytest.mark.redis

STREAMS = (TRADES, CANDLES, BOOKS, BOOK_STATS, BOOK_SNAPSHOTS, FEED_EVENTS, DEAD_LETTERS)
LAYOUT = {stream: (Shard(stream, 0, 1),) for stream in STREAMS}
SHARD = LAYOUT[TRADES][0]


@pytest.fixture
async def redis(redis_only):
    client = connect(Settings(redis_host="127.0.0.1", redis_port=redis_only.redis_port))
    yield client
    await client.aclose()


async def append(redis, *records, ago_s, first=0, shard=SHARD):
    """Append records as an entry that came some seconds ago."""
    at_ms = now_ns() // 10**6 - round(ago_s * 1000)
    lines = b"\n".join(map(msgspec.json.encode, records))
    await redis.xadd(shard.key, {"o": first, "n": len(records), "data": lines}, id=f"{at_ms}-0")
    await redis.hset(shard.facts, "offset", first + len(records))


async def nothing(_):
    """Leave a shard's count alone."""


async def owner(redis, program=BAR_PROCESSOR):
    """Return a new owner of the shard of trades or books, behind what was committed."""
    processor = of_program(program)[0]
    shard = LAYOUT[processor.source][0]
    work = Consumer(
        processor=processor,
        process="tester",
        inbox=Inbox(redis, shard, program),
        target=StreamTarget(processor.target, LAYOUT, nothing),
        knowledge=Knowledge(None, None),
        figures=Figures(program, "tester", "processor"),
        linger_s=0.0,
        memory=Memory(processor),
        layout=LAYOUT,
        company=Company(),
        grant=Grant(),
        is_dead=lambda _: False,
    )
    work.grant.set_to(given=True)
    work.leaving = asyncio.get_running_loop().create_future()
    await work.inbox.register()
    await resume(work, await work.inbox.acquire("tester", None), was_deleted=False)
    while work.position < await work.inbox.end():
        batch = Batch(shard, program, work.position, tuple(await gather(work)))
        await finish(work, batch, Named(batch.manifest, in_doubt=False), alone=False)
    work.backlog = False
    return work


async def told(redis):
    """Return (interval, closed) of everything told since the last look."""
    lines = [line for _, fields in await redis.xrange(CANDLES.key(0, 1)) for line in fields[b"data"].splitlines()]
    await redis.xtrim(CANDLES.key(0, 1), maxlen=0)
    return [
        (candle.interval, candle.is_closed) for candle in (msgspec.json.decode(line, type=Candle) for line in lines)
    ]


async def test_what_a_silence_brings_to_an_end_is_told_once_and_by_no_later_owner_again(redis):
    await append(redis, trade(20, 10), ago_s=45)
    first = await owner(redis)
    assert [] == await told(redis)
    await rest(first)

    assert [("1s", True), ("1m", False), ("1h", False), ("1d", False), ("1m", True)] == await told(redis)
    assert 1 == first.position
    await rest(first)
    await rest(await owner(redis))
    await append(redis, trade(63, 11), ago_s=1, first=1)
    await owner(redis)

    assert [] == await told(redis)


async def test_books_that_are_taken_over_in_a_silence_tell_each_instant_once(redis):
    levels = [("100.5", "1")], [("101", "3")]
    told = [
        update("snapshot", *levels),
        update(at_ns=START_NS + 500 * SECOND_NS),
        update(at_ns=START_NS + 600 * SECOND_NS),
    ]
    await append(redis, *told[:1], ago_s=45, shard=LAYOUT[BOOKS][0])
    await rest(await owner(redis, BOOK_PROCESSOR))
    assert 43 <= len(await books_told(redis, BOOK_STATS, BookStat))
    await rest(await owner(redis, BOOK_PROCESSOR))
    await append(redis, *told[1:], ago_s=1, first=1, shard=LAYOUT[BOOKS][0])
    await owner(redis, BOOK_PROCESSOR)

    rows, snapshots, _ = turned(Books(), told)
    assert rows.to_dicts() == [msgspec.structs.asdict(row) for row in await books_told(redis, BOOK_STATS, BookStat)]
    found = frame_of(await books_told(redis, BOOK_SNAPSHOTS, BookSnapshot), BookSnapshot)
    assert_frame_equal(sorted_rows(snapshots), sorted_rows(found))


async def books_told(redis, stream, record):
    lines = [line for _, fields in await redis.xrange(stream.key(0, 1)) for line in fields[b"data"].splitlines()]
    return [msgspec.json.decode(line, type=record) for line in lines]


async def test_what_could_not_be_committed_is_told_by_the_next_owner(redis):
    await append(redis, trade(20, 10), ago_s=45)
    first = await owner(redis)
    second = await owner(redis)
    with pytest.raises(Fenced):
        await rest(first)

    assert first.memory.timed(1) is None
    assert [] == await told(redis)
    await rest(second)
    assert 5 == len(await told(redis))


async def test_what_an_ingester_keeps_back_is_waited_for_unless_it_ended_in_good_order(redis):
    await append(redis, trade(20, 10), ago_s=45)
    await redis.hset(SHARD.facts, mapping={"one.epoch": 7, "one.alive": now_ns() - 45 * 10**9, "two.epoch": 7})
    work = await owner(redis)
    await rest(work)

    assert [] == await told(redis)
    await redis.hset(SHARD.facts, "one.alive", now_ns() - 40 * 10**9)
    await rest(work)
    assert 4 == len(await told(redis))
    await redis.hdel(SHARD.facts, "one.alive")
    await rest(work)
    assert [("1m", True)] == await told(redis)


async def test_what_redis_has_lost_of_a_silence_is_told_again(redis):
    await append(redis, trade(20, 10), ago_s=45)
    work = await owner(redis)
    kept = {key: await redis.dump(key) for key in await redis.keys("*")}
    await rest(work)
    assert 5 == len(await told(redis))

    await redis.flushall()
    for key, value in kept.items():
        await redis.restore(key, 0, value)
    await resume(work, await work.inbox.acquire("tester", None), was_deleted=False)
    work.backlog = False
    await rest(work)

    assert 5 == len(await told(redis))


async def test_a_silence_in_which_a_trade_may_still_be_on_its_way_is_none(redis):
    await append(redis, trade(20, 10), ago_s=1)
    work = await owner(redis)
    await rest(work)

    assert [] == await told(redis)
