"""The way into Redis, whatever Redis does: every record once and in order, or a gap that is told."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import pytest

from common.errors import Fenced
from common.heartbeat import Figures
from common.outbox import SKIPPED
from common.records import OrderEvent, Trade
from common.redis_facts import read_state
from common.redis_streams import Shard, connect
from common.settings import Settings
from common.streams import DEAD_LETTERS, FEED_EVENTS, ORDER_EVENTS, TRADES
from ingesters import comeback, tail
from ingesters.sink import FULL_BYTES, Sink
from ingesters.spool import Spool
from tests.ingest_kit import Proxy, events, listener, records, until

pytestmark = [pytest.mark.redis, pytest.mark.timeout(60)]

SOURCE = "tester"
LAYOUT = {stream: [Shard(stream, 0, 1)] for stream in (TRADES, ORDER_EVENTS, FEED_EVENTS, DEAD_LETTERS)}


def trade(number, padding=""):
    return Trade(
        venue="venue",
        symbol="ANY",
        received_ns=number,
        trade_id=str(number),
        event_ns=number,
        price="1",
        size="1",
        taker_side="buy",
        sequence=number,
        maker=padding,
    )


def order(number):
    names = ("transaction_hash", "order_hash", "maker", "taker", "maker_asset_id", "taker_asset_id")
    amounts = dict.fromkeys(("maker_amount", "taker_amount", "fee"), "1")
    return OrderEvent(
        venue="venue",
        symbol="",
        received_ns=number,
        event_id=str(number),
        event_ns=number,
        role="maker_fill",
        source="subgraph",
        **dict.fromkeys(names, "0"),
        **amounts,
    )


@asynccontextmanager
async def carried(fleet, port=None, *, folder="spool", source=SOURCE, max_bytes=2**30, max_age_s=3600):
    """A sink at work; its task is in `carrying`."""
    redis = connect(Settings(redis_host="127.0.0.1", redis_port=port or fleet.redis_port))
    figures = Figures("tester", "tester", "ingester", "venue")
    spool = Spool(fleet.folder / folder, figures, max_bytes=max_bytes, max_age_s=max_age_s)
    assert await spool.open()
    sink = Sink(redis, LAYOUT, source, spool)
    sink.figures, sink.spool = figures, spool
    await sink.claim(["place"])
    sink.carrying = asyncio.create_task(sink.run())
    try:
        yield sink
    finally:
        sink.carrying.cancel()
        await asyncio.gather(sink.carrying, return_exceptions=True)
        await spool.close()
        await redis.aclose()


async def emptied(sink, give_up_s=20):
    async with asyncio.timeout(give_up_s):
        await sink.empty()


def ids(fleet):
    return [int(record.trade_id) for record in records(fleet, "trades")]


def running_numbers(fleet):
    """Return the running number of each record, as consumers count them."""
    entries = [entry for _, entry in fleet.redis.xrange("stream:trades")]
    return [int(entry["o"]) + index for entry in entries for index in range(int(entry["n"]))]


def assert_whole(fleet, count):
    """
    Every record stands once and in order, and no running number twice.

    Numbers are dense unless Redis was killed: under load it may confirm what it has not given to the kernel yet, is
    then given it again, and numbers that nobody can know of are left out behind that.
    """
    assert list(range(count)) == ids(fleet)
    numbers = running_numbers(fleet)
    assert sorted(set(numbers)) == numbers


def cut_appends(fleet, appends):
    """Take the last appends away, as a power cut does."""
    file = next((fleet.folder / "redis" / "appendonlydir").glob("*.incr.aof"))
    whole = file.read_bytes()
    at = len(whole)
    for _ in range(appends):
        at = whole.rindex(b"XADD", 0, at)
    file.write_bytes(whole[:at])


async def put_until_full(sink, first=0):
    """Put as an ingester does that reads no further when the sink is full; return the number behind the last."""
    number = first
    while not sink.is_full:
        for _ in range(100):
            sink.put(trade(number, "x" * 10_000))
            number += 1
        await asyncio.sleep(0)
    return number


async def test_a_redis_that_stands_still_stops_the_ingester_at_its_bound_and_loses_nothing(redis_only):
    async with carried(redis_only) as sink:
        os.kill(redis_only.pid("redis"), signal.SIGSTOP)
        try:
            count = await put_until_full(sink)
            held_bytes = sink.waiting_bytes
        finally:
            os.kill(redis_only.pid("redis"), signal.SIGCONT)
        await emptied(sink)

        assert (0, 0) == (sink.waiting_bytes, sink.waiting_records)
    assert held_bytes < FULL_BYTES + 2 * 2**20
    assert list(range(count)) == ids(redis_only)


async def test_a_redis_that_is_killed_and_comes_back_has_all_once(redis_only):
    async with carried(redis_only) as sink:
        for number in range(3000):
            sink.put(trade(number))
            sink.checkpoint("trades", {"place": str(number)})
            await asyncio.sleep(0)
            if number in (1000, 2000):
                redis_only.kill("redis")
            if number in (1500, 2500):
                redis_only.restart("redis")
        await emptied(sink)
        redis = sink._redis

        assert {"place": "2999"} == await read_state(redis, ["place"])
    assert_whole(redis_only, 3000)
    assert [] == events(redis_only, "gap")


async def test_a_full_redis_takes_all_once_when_there_is_room_again(redis_only):
    redis_only.redis.config_set("maxmemory-policy", "noeviction")
    async with carried(redis_only) as sink:
        redis_only.redis.config_set("maxmemory", "1")
        for number in range(1000):
            sink.put(trade(number))
        figures = sink.figures
        await until(lambda: "maxmemory" in figures.last_error or "OOM" in figures.last_error)
        redis_only.redis.config_set("maxmemory", "0")
        await emptied(sink)

    assert list(range(1000)) == ids(redis_only)


async def test_the_word_that_all_is_handed_on_waits_for_what_the_spool_keeps(redis_only):
    redis_only.redis.config_set("maxmemory-policy", "noeviction")
    async with carried(redis_only) as sink:
        first = word(redis_only)
        redis_only.redis.config_set("maxmemory", "1")
        sink.put(trade(0))
        await until(lambda: sink.spool.size_bytes > 0)
    redis_only.redis.config_set("maxmemory", "0")
    async with carried(redis_only) as sink:
        assert first <= word(redis_only) < sink.spool.found["stream:trades"].to_ns
        await until(lambda: word(redis_only) > sink.figures.started_ns)

    assert [0] == ids(redis_only)


def word(fleet):
    """Return when the source has said last that nothing of it is held up."""
    return int(fleet.redis.hget(next(iter(LAYOUT.values()))[0].facts, f"{SOURCE}.alive"))


async def test_a_reply_that_is_lost_after_the_script_ran_doubles_nothing(redis_only):
    proxy = Proxy(redis_only.redis_port)
    proxy.marker = b"EVALSHA"
    async with listener(proxy.talk) as port, carried(redis_only, port) as sink:
        for number in range(300):
            proxy.swallow = int(number % 50 == 0)
            sink.put(trade(number))
            await emptied(sink)

    assert 6 == proxy.swallowed
    assert list(range(300)) == ids(redis_only) == running_numbers(redis_only)


async def test_an_older_copy_is_fenced_and_nothing_of_it_follows(redis_only):
    async with carried(redis_only) as old, carried(redis_only, folder="other") as new:
        new.put(trade(1))
        await emptied(new)
        old.put(trade(2))

        with pytest.raises(Fenced, match="another process has taken it"):
            await asyncio.wait_for(old.carrying, 10)
    assert [1] == ids(redis_only)


async def test_an_emptied_redis_is_given_again_what_it_had_confirmed_under_the_same_numbers(redis_only):
    async with carried(redis_only) as sink:
        for number in range(3):
            sink.put(trade(number))
            sink.checkpoint("trades", {"place": str(number)})
            await emptied(sink)
        redis_only.redis.flushall()
        for number in range(3, 6):
            sink.put(trade(number))
            await emptied(sink)
        await until(lambda: len(events(redis_only, "backfilled")), 1)

        assert {"place": "2"} == await read_state(sink._redis, ["place"])
        assert b"5" == await sink._redis.hget("shard:{stream:trades}", "tester.mark.ANY")
    event = events(redis_only, "backfilled")[0]
    assert ("redis", "venue", "3", "3") == (event.channel, event.venue, event.expected, event.found)
    assert event.from_ns < event.to_ns
    assert list(range(6)) == ids(redis_only)
    assert [0, 1, 2] == running_numbers(redis_only)[:3]
    assert running_numbers(redis_only)[3] >= SKIPPED  # nobody knows how many numbers others had been given
    assert "1" == redis_only.redis.hget("topics", "trades")


async def test_an_idle_ingester_restores_an_emptied_redis_within_seconds_places_and_marks_too(redis_only):
    async with carried(redis_only) as sink:
        sink.put(trade(7))
        sink.checkpoint("trades", {"place": "7"})
        await emptied(sink)
        redis_only.redis.flushall()
        await until(lambda: redis_only.redis.get("state:place"), "7")

        assert [7] == ids(redis_only)
        assert "7" == redis_only.redis.hget("shard:{stream:trades}", "tester.mark.ANY")


async def test_a_place_of_an_earlier_process_is_restored_on_an_emptied_redis(redis_only):
    redis_only.redis.set("state:place", "from before")
    async with carried(redis_only) as sink:
        redis_only.redis.flushall()
        await until(lambda: redis_only.redis.get("state:place"), "from before")

        assert {"place": "from before"} == sink.state


async def test_a_redis_that_comes_back_with_less_is_given_it_again_under_the_same_numbers(redis_only):
    async with carried(redis_only) as sink:
        for number in range(10):
            sink.put(trade(number))
            await emptied(sink)
        redis_only.kill("redis")
        cut_appends(redis_only, 3)
        redis_only.restart("redis")
        for number in range(10, 20):
            sink.put(trade(number))
            await emptied(sink)

    assert list(range(20)) == ids(redis_only)
    assert list(range(10)) == running_numbers(redis_only)[:10]
    assert [] == events(redis_only, "gap")
    assert ["3"] == [event.found for event in events(redis_only, "backfilled")]


async def test_two_sources_of_a_shard_give_again_in_the_order_of_the_numbers(redis_only):
    async with carried(redis_only) as one, carried(redis_only, folder="other", source="other") as two:
        for number in range(0, 20, 2):
            one.put(trade(number))
            await emptied(one)
            two.put(trade(number + 1))
            await emptied(two)
        redis_only.redis.flushall()
        await until(lambda: len(ids(redis_only)), 20)
        for sink, number in ((one, 20), (two, 21)):
            sink.put(trade(number))
            await emptied(sink)

    assert list(range(20)) == ids(redis_only)[:20] == running_numbers(redis_only)[:20]
    assert {20, 21} == set(ids(redis_only)[20:])
    assert len(set(running_numbers(redis_only))) == 22


async def test_numbers_that_nobody_gives_again_hold_nobody_up(redis_only, monkeypatch):
    monkeypatch.setattr(comeback, "PATIENCE_S", 60.0)
    async with carried(redis_only) as one, carried(redis_only, folder="other", source="other") as two:
        for number in range(0, 8, 2):
            one.put(trade(number))
            await emptied(one)
            redis_only.redis.hincrby("shard:{stream:trades}", "offset", 1)  # a record that a processor made
            two.put(trade(number + 1))
            await emptied(two)
        redis_only.redis.flushall()
        await until(lambda: len(ids(redis_only)), 8)

    assert list(range(8)) == ids(redis_only)
    assert [0, 2, 3, 5, 6, 8, 9, 11] == running_numbers(redis_only)


async def test_a_source_that_has_lost_nothing_waits_for_those_that_have(redis_only):
    async with carried(redis_only) as one, carried(redis_only, folder="other", source="other") as two:
        one.put(trade(0))
        await emptied(one)
        for number in range(1, 6):
            two.put(trade(number))
            await emptied(two)
        redis_only.kill("redis")
        cut_appends(redis_only, 5)
        one.put(trade(6))
        redis_only.restart("redis")
        await emptied(one)
        await emptied(two)

    assert list(range(7)) == ids(redis_only)
    assert list(range(6)) == running_numbers(redis_only)[:6]
    assert [] == events(redis_only, "gap")


async def test_what_cannot_be_given_again_is_told(redis_only, monkeypatch):
    monkeypatch.setattr(tail, "KEPT_BYTES", 1000)
    async with carried(redis_only) as sink:
        for number in range(10):
            sink.put(trade(number))
            await emptied(sink)
        redis_only.redis.flushall()
        await until(lambda: len(events(redis_only, "gap")), 1)

    found = ids(redis_only)
    assert 0 < len(found) < 10
    assert list(range(10 - len(found), 10)) == found == running_numbers(redis_only)
    event = events(redis_only, "gap")[0]
    assert f"{len(found)} records were given again" in event.detail
    assert event.from_ns < event.to_ns


async def test_each_shard_says_what_it_was_given_again(redis_only):
    async with carried(redis_only) as sink:
        sink.put(order(1))
        sink.put(trade(1))
        await emptied(sink)
        redis_only.redis.flushall()
        await until(lambda: len(events(redis_only, "backfilled")), 2)

    told = {event.detail.partition(": ")[0] for event in events(redis_only, "backfilled")}
    assert {"stream:trades", "stream:order_events"} == told
    assert "1" == redis_only.redis.hget("shard:{stream:order_events}", "offset")  # no phantom lag


async def test_a_claim_that_was_repeated_because_its_reply_was_lost_does_not_fence_us(redis_only):
    proxy = Proxy(redis_only.redis_port)
    async with listener(proxy.talk) as port, carried(redis_only, port) as sink:
        sink.put(trade(1))
        await emptied(sink)
        redis_only.redis.flushall()
        proxy.marker, proxy.swallow = b"EVALSHA", 2  # the refused append, then the claim
        sink.put(trade(2))
        await emptied(sink)

        assert not sink.carrying.done()
    assert [1, 2] == ids(redis_only)


async def test_after_a_loss_one_of_two_copies_goes_on_and_the_other_is_fenced(redis_only):
    async with carried(redis_only) as old:
        old.put(trade(1))
        await emptied(old)
        redis_only.redis.flushall()
        async with carried(redis_only, folder="other") as new:
            ended = set()
            for number in range(2, 100):
                for copy in (old, new):
                    copy.put(trade(number))
                ended, others = await asyncio.wait(
                    (old.carrying, new.carrying), timeout=0.1, return_when="FIRST_COMPLETED"
                )
                if ended:
                    break

            assert (1, 1) == (len(ended), len(others))
            assert isinstance(ended.pop().exception(), Fenced)


async def test_a_page_and_its_place_are_never_apart(redis_only):
    proxy = Proxy(redis_only.redis_port)
    async with listener(proxy.talk) as port, carried(redis_only, port) as sink:
        for page in range(50):
            proxy.swallow = int(page % 10 == 0)
            for row in range(20):
                sink.put(trade(page * 20 + row))
            sink.checkpoint("trades", {"place": str(page)})
            await asyncio.sleep(0)
            place = redis_only.redis.get("state:place")
            assert 20 * (int(place) + 1 if place else 0) == len(ids(redis_only))
        await emptied(sink)
