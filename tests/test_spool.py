"""The spool: what Redis does not take lies on the disk, in order, and reaches Redis once, whoever is killed."""

import asyncio
import os
import signal
import sqlite3
import time
from contextlib import asynccontextmanager

import pytest

from common.errors import Fenced
from common.heartbeat import Figures
from common.outbox import Outbox
from common.packet import Packet, merged
from common.packing import Entry
from common.redis_streams import connect
from common.settings import Settings
from ingesters import spilling
from ingesters.handover import take
from ingesters.lane import SLOW_LOOKS
from ingesters.sink import Sink
from ingesters.spool import Spool
from ingesters.spool_file import SpoolFile
from tests.ingest_kit import Proxy, events, listener, until
from tests.test_sink import LAYOUT, SOURCE, assert_whole, carried, emptied, ids, running_numbers, trade

pytestmark = [pytest.mark.redis, pytest.mark.timeout(60)]


def put(sink, *numbers):
    for number in numbers:
        sink.put(trade(number))


def spooled(sink):
    return sink.figures.counters["spooled_total"]


@asynccontextmanager
async def died(fleet, port=None, **limits):
    """A sink whose process is killed at the end: nothing is told to anybody, nothing is written any more."""
    redis = connect(Settings(redis_host="127.0.0.1", redis_port=port or fleet.redis_port))
    spool = Spool(fleet.folder / "spool", Figures("tester", "tester", "ingester", "venue"), **(LIMITS | limits))
    assert await spool.open()
    sink = Sink(redis, LAYOUT, SOURCE, spool)
    sink.figures = spool.figures
    await sink.claim(["place"])
    carrying = asyncio.create_task(sink.run())
    try:
        yield sink
    finally:
        carrying.cancel()
        await asyncio.gather(carrying, return_exceptions=True)
        await spool.close()  # the kernel would: it closes the file and lets go of the lock
        await redis.aclose()


LIMITS = {"max_bytes": 2**30, "max_age_s": 3600.0}


async def test_shards_that_come_and_go_at_once_leave_nothing_counted_behind(tmp_path):
    figures = Figures("tester", "tester", "ingester", "venue")
    spool = Spool(tmp_path, figures, **LIMITS)
    await spool.open()
    shards = [f"shard {number}" for number in range(20)]
    for shard in shards:
        await spool.write([(shard, Packet(1, [Entry(1, b"x" * 100)]))])
    await asyncio.gather(*(spool.forget(shard, 1) for shard in shards))
    await spool.close()

    assert (0, 0) == (spool.size_bytes, figures.gauges["spool_bytes"])


async def test_while_redis_is_well_nothing_is_written(redis_only):
    async with carried(redis_only) as sink:
        for number in range(200):
            put(sink, number)
            await asyncio.sleep(0.005)
        await emptied(sink)

        assert 0 == spooled(sink)
    assert list(range(200)) == ids(redis_only)


async def test_a_burst_goes_to_redis_in_packets_that_it_takes_at_once_and_not_to_the_disk(redis_only):
    async with carried(redis_only) as sink:
        for number in range(1000):
            sink.put(trade(number, "x" * 10_000))
            sink.divide()
        await emptied(sink)

        assert 0 == spooled(sink)
    assert 2 <= int(redis_only.redis.hget("shard:{stream:trades}", f"{SOURCE}.batch"))
    assert list(range(1000)) == ids(redis_only)


async def test_a_process_that_stood_still_itself_does_not_take_redis_for_slow(redis_only):
    async with carried(redis_only) as sink:
        put(sink, 0)
        await asyncio.sleep(0.01)  # it is sent, and the answer is there before the next line ends
        time.sleep(SLOW_LOOKS * spilling.FLUSH_S * 1.5)  # noqa: ASYNC251  nothing of this process goes on
        await emptied(sink)

        assert 0 == spooled(sink)


async def test_what_a_killed_ingester_left_is_sent_first_and_its_marks_and_places_are_given_to_the_feed(redis_only):
    async with died(redis_only) as sink:
        put(sink, 0)
        await emptied(sink)
        redis_only.kill("redis")
        for number in range(1, 5):
            put(sink, number)
            sink.checkpoint("trades", {"place": str(number)})
            await until(lambda: spooled(sink), number)
    redis_only.restart("redis")
    await until(redis_only.redis.ping)

    async with carried(redis_only) as sink:
        assert {("trades", "ANY"): 4} == sink.marks
        assert {"place": "4"} == sink.state
        put(sink, 5)
        await emptied(sink)
        await until(lambda: sink.spool.size_bytes, 0)
    assert_whole(redis_only, 6)
    assert "4" == redis_only.redis.get("state:place")
    (told,) = events(redis_only, "gap")
    assert "ended without a word" in told.detail
    assert 0 < told.to_ns - told.from_ns < 60e9


async def test_a_packet_in_doubt_when_the_ingester_is_killed_stands_once(redis_only):
    proxy = Proxy(redis_only.redis_port)
    async with listener(proxy.talk) as port, died(redis_only, port) as sink:
        put(sink, 0)
        await emptied(sink)
        proxy.marker, proxy.swallow = b"tester", 1000  # every append is carried out, and no reply comes back
        put(sink, 1)
        await until(lambda: proxy.swallowed > 0)
        put(sink, 2)
        await until(lambda: spooled(sink), 2)
    assert [0, 1] == ids(redis_only)

    async with carried(redis_only) as sink:
        put(sink, 3)
        await emptied(sink)
    assert [0, 1, 2, 3] == ids(redis_only) == running_numbers(redis_only)


async def test_killed_in_the_middle_of_draining_it_goes_on_where_it_was(redis_only, monkeypatch):
    monkeypatch.setattr("ingesters.spool.READ_BYTES", 1)  # one packet at a time
    async with died(redis_only) as sink:
        put(sink, 0)
        await emptied(sink)
        redis_only.kill("redis")
        for number in range(1, 40):
            put(sink, number)
            await until(lambda: spooled(sink), number)
    redis_only.restart("redis")
    await until(redis_only.redis.ping)
    for _ in range(10):  # each is killed after a few milliseconds
        async with died(redis_only):
            standing = len(ids(redis_only))
            await until(lambda standing=standing: len(ids(redis_only)) >= min(standing + 3, 40))
    async with carried(redis_only) as sink:
        await emptied(sink)

    assert_whole(redis_only, 40)


async def test_what_comes_while_the_spool_drains_stays_behind_it(redis_only):
    async with carried(redis_only) as sink:
        put(sink, 0)
        await emptied(sink)
        os.kill(redis_only.pid("redis"), signal.SIGSTOP)
        try:
            put(sink, *range(1, 1000))
            await until(lambda: spooled(sink), 999)
        finally:
            os.kill(redis_only.pid("redis"), signal.SIGCONT)
        for number in range(1000, 3000):
            put(sink, number)
            await asyncio.sleep(0)
        await emptied(sink)

        assert 0 == sink.waiting_records
    assert list(range(3000)) == ids(redis_only) == running_numbers(redis_only)


async def test_another_copy_that_took_over_meanwhile_leaves_the_spool_aside_and_says_so(redis_only):
    async with died(redis_only) as sink:
        put(sink, 0)
        await emptied(sink)
        redis_only.kill("redis")
        put(sink, 1, 2)
        await until(lambda: spooled(sink), 2)
    redis_only.restart("redis")
    await until(redis_only.redis.ping)
    async with carried(redis_only, folder="another machine") as sink:
        put(sink, 1, 2, 3)  # the venue gave it these as well
        await emptied(sink)
    async with carried(redis_only) as sink:
        put(sink, 4)
        await emptied(sink)
        await until(lambda: len(events(redis_only, "gap")), 2)

    assert [0, 1, 2, 3, 4] == ids(redis_only)
    assert "2 records were not appended" in events(redis_only, "gap")[0].detail
    (aside,) = (redis_only.folder / "spool").glob("set-aside-*.jsonl")
    assert 2 == len(aside.read_bytes().splitlines())


async def test_what_is_too_old_is_dropped_and_told(redis_only, monkeypatch):
    monkeypatch.setattr(spilling, "EXPIRE_S", 0.2)
    async with carried(redis_only, max_age_s=3.0) as sink:
        put(sink, 0)
        await emptied(sink)
        redis_only.kill("redis")
        put(sink, 1, 2, 3)
        await until(lambda: spooled(sink), 3)
        put(sink, 4, 5)
        await until(lambda: sink.figures.counters["spool_dropped_total"], 2)
        put(sink, 6)
        redis_only.restart("redis")
        await emptied(sink)
        await until(lambda: len(events(redis_only, "gap")), 1)

    assert [0, 1, 2, 3, 6] == ids(redis_only)  # the packet on its way is still in memory
    told = events(redis_only, "gap")[0]
    assert "2 records waited in the spool longer than SPOOL_MAX_AGE_S" in told.detail
    assert told.from_ns <= told.to_ns


async def test_an_emptied_redis_gets_what_a_killed_ingester_left(redis_only):
    async with died(redis_only) as sink:
        put(sink, 0)
        await emptied(sink)
        redis_only.kill("redis")
        put(sink, 1, 2)
        await until(lambda: spooled(sink), 2)
    redis_only.restart("redis")
    await until(redis_only.redis.ping)
    redis_only.redis.flushall()

    async with carried(redis_only) as sink:
        put(sink, 3)
        await emptied(sink)
    assert [1, 2, 3] == ids(redis_only)
    assert "came back with less" in events(redis_only, "gap")[0].detail


async def test_a_file_that_is_no_spool_is_set_aside_and_told(redis_only):
    folder = redis_only.folder / "spool"
    folder.mkdir()
    (folder / "spool.sqlite").write_bytes(b"this is no database" * 100)
    async with carried(redis_only) as sink:
        put(sink, 1)
        await emptied(sink)
        await until(lambda: len(events(redis_only, "gap")), 1)

    assert [1] == ids(redis_only)
    assert "could not be read" in events(redis_only, "gap")[0].detail
    assert 1 == len(list(folder.glob("unreadable-*.sqlite")))


async def test_only_one_process_has_the_spool(tmp_path):
    figures = Figures("tester", "tester", "ingester", "venue")
    one, two = (Spool(tmp_path / "spool", figures, **LIMITS) for _ in range(2))

    assert (True, False) == (await one.open(), await two.open())
    await one.close()
    assert await two.open()
    await two.close()


async def test_a_younger_copy_on_the_same_machine_fences_the_older_and_goes_on_with_its_spool(redis_only):
    async with carried(redis_only) as older:
        put(older, 0)
        await emptied(older)
        os.kill(redis_only.pid("redis"), signal.SIGSTOP)
        put(older, 1, 2)
        await until(lambda: spooled(older), 2)
        os.kill(redis_only.pid("redis"), signal.SIGCONT)
        redis = connect(Settings(redis_host="127.0.0.1", redis_port=redis_only.redis_port))
        spool = Spool(redis_only.folder / "spool", Figures("tester", "tester", "ingester", "venue"), **LIMITS)
        outboxes = [Outbox(redis, shard, SOURCE) for parts in LAYOUT.values() for shard in parts]
        taking = asyncio.create_task(take(spool, outboxes))
        with pytest.raises(Fenced):
            await asyncio.wait_for(older.carrying, 10)
        put(older, 3)
        await older.spilling.write_down()  # as a fenced copy does at its end
        await older.spool.close()
        await asyncio.wait_for(taking, 10)
        await spool.close()
        await redis.aclose()

    async with carried(redis_only) as younger:
        put(younger, 4)
        await emptied(younger)
    assert_whole(redis_only, 5)


def packet(batch, *lines, **more):
    return Packet(batch, [Entry(1, line) for line in lines], **more)


def test_packets_that_follow_each_other_become_one_of_larger_entries():
    made = merged([packet(3, b"a", marks={"A": 1, "B": 1}), packet(5, b"b", b"c", marks={"A": 2}, state={"s": "x"})])

    assert Packet(5, [Entry(3, b"a\nb\nc")], {"A": 2, "B": 1}, {"s": "x"}) == made


def test_a_file_gives_its_room_back_when_it_is_empty(tmp_path):
    path = tmp_path / "spool.sqlite"
    file = SpoolFile(path)
    for batch in range(1, 41):
        file.write([("shard", packet(batch, b"x" * 10**6))], batch)
    full_bytes = path.stat().st_size
    file.forget("shard", 40)
    file.shrink()
    file.close()

    assert full_bytes > 20_000_000
    assert path.stat().st_size < 200_000
    assert ["ok"] == [row[0] for row in sqlite3.connect(path).execute("PRAGMA integrity_check")]
