"""Appending, owning and committing on a real Redis: each promise against the fault that would break it."""

import asyncio

import pytest

from common.clock import monotonic_s
from common.errors import Fenced, StreamRefused
from common.inbox import Inbox
from common.outbox import Outbox, Packet
from common.packing import MAX_BYTES, MAX_RECORDS, pack
from common.place import Carried, Held, Ownership
from common.redis_facts import read_state
from common.redis_streams import Shard, connect, progress
from common.settings import Settings
from common.streams import BOOKS, ORDER_EVENTS, TRADES, shard_of

pytestmark = pytest.mark.redis

EVENTS = Shard(ORDER_EVENTS, 0, 1)
DERIVED = Shard(TRADES, 0, 1)


@pytest.fixture
async def redis(redis_only):
    client = connect(Settings(redis_host="127.0.0.1", redis_port=redis_only.redis_port))
    yield client
    await client.aclose()


async def outbox(redis, shard=EVENTS, source="tester"):
    made = Outbox(redis, shard, source)
    await made.claim()
    return made


def packet(batch, *lines, **more):
    return Packet(batch, pack(lines), **more)


async def inbox(redis, owner="one", group="readers"):
    made = Inbox(redis, EVENTS, group)
    await made.register()
    return made, await made.acquire(owner, None)


async def test_a_packet_that_is_sent_again_because_its_reply_was_lost_stands_once(redis):
    source = await outbox(redis)
    await source.append(packet(1, b"a", b"b", state={"place": "2"}))
    source.batch = 0
    await source.append(packet(1, b"a", b"b", state={"place": "2"}))

    entries = await redis.xrange(EVENTS.key)
    assert [(b"0", b"2", b"a\nb")] == [(e[b"o"], e[b"n"], e[b"data"]) for _, e in entries]
    assert {"place": "2"} == await read_state(redis, ["place", "other"])


async def test_running_numbers_are_dense_over_packets_and_sources(redis):
    first, second = await outbox(redis), await outbox(redis, source="other")
    await first.append(packet(1, b"a", b"b"))
    await second.append(packet(1, b"c"))

    assert 4 == await first.append(packet(2, b"d"))
    assert [b"0", b"2", b"3"] == [fields[b"o"] for _, fields in await redis.xrange(EVENTS.key)]


async def test_an_older_copy_of_a_source_is_fenced(redis):
    old = await outbox(redis)
    new = await outbox(redis)
    await new.append(packet(1, b"new"))

    with pytest.raises(Fenced):
        await old.append(packet(1, b"old"))
    assert 1 == await redis.xlen(EVENTS.key)


async def test_a_server_that_has_lost_what_was_confirmed_is_noticed_and_nothing_is_appended(redis):
    source = await outbox(redis)
    await source.append(packet(1, b"a"))
    await redis.hset(EVENTS.facts, "tester.batch", "0")

    with pytest.raises(StreamRefused, match="expected batch 1 of tester, found 0"):
        await source.append(packet(2, b"b"))
    assert 1 == await redis.xlen(EVENTS.key)


async def test_a_full_server_refuses_records_and_cursor_together(redis):
    source = await outbox(redis)
    await redis.config_set("maxmemory", "1")
    await redis.config_set("maxmemory-policy", "noeviction")
    try:
        with pytest.raises(StreamRefused, match=r"OOM|maxmemory"):
            await source.append(packet(1, b"a", state={"place": "1"}))
    finally:
        await redis.config_set("maxmemory", "0")

    assert {} == await read_state(redis, ["place"])
    assert 1 == await source.append(packet(1, b"a", state={"place": "1"}))


async def test_marks_are_kept_by_source_and_symbol(redis):
    source = await outbox(redis)
    await source.append(packet(1, b"a", marks={"BTCUSDT": 7, "ETH.USDT": 1}))
    await source.append(packet(2, b"b", marks={"BTCUSDT": 9}))

    assert {"BTCUSDT": 9, "ETH.USDT": 1} == await (await outbox(redis)).marks()
    assert {} == await (await outbox(redis, source="other")).marks()


async def test_a_shard_has_one_owner_until_its_beat_stands_still(redis):
    first, owned = await inbox(redis)
    second = Inbox(redis, EVENTS, "readers")
    held = await second.acquire("two", None)
    await first.beat()

    assert isinstance(owned, Ownership)
    assert Held("one", "1") == held
    assert Held("one", "2") == await second.acquire("two", held)
    assert isinstance(await second.acquire("two", Held("one", "2")), Ownership)
    with pytest.raises(Fenced):
        await first.beat()


async def test_an_older_life_of_our_own_that_comes_back_with_redis_is_no_second_copy(redis):
    reader, owned = await inbox(redis)
    await redis.hset(EVENTS.group("readers"), "epoch", owned.epoch - 1)
    assert not await reader.has_newer_owner("one")

    await inbox(redis)
    await redis.hset(EVENTS.group("readers"), "epoch", owned.epoch + 1)
    assert await reader.has_newer_owner("one")
    assert not await reader.has_newer_owner("two")


async def test_a_stale_owner_can_neither_begin_nor_commit(redis):
    await (await outbox(redis)).append(packet(1, b"a"))
    old, _ = await inbox(redis)
    (entry,) = await old.read(">", count=10, block_ms=None)
    await inbox(redis)

    with pytest.raises(Fenced):
        await old.begin(0, b"manifest")
    with pytest.raises(Fenced):
        await old.commit(0, 1, [entry.id], Carried())
    assert (1, 0) == await progress(redis, EVENTS, "readers")


async def test_a_batch_whose_entries_are_gone_is_neither_begun_nor_committed(redis):
    await (await outbox(redis)).append(packet(1, b"a"))
    reader, _ = await inbox(redis)
    (entry,) = await reader.read(">", count=10, block_ms=None)
    await redis.xdel(EVENTS.key, entry.id)  # as a server does that has lost its newest writes

    with pytest.raises(StreamRefused, match="is gone"):
        await reader.begin(0, b"manifest", seen_id=entry.id)
    with pytest.raises(StreamRefused, match="is gone"):
        await reader.commit(0, 1, [entry.id], Carried({DERIVED: pack([b"x"])}, seen_id=entry.id))
    assert (1, 0) == await progress(redis, EVENTS, "readers")
    assert 0 == await redis.xlen(DERIVED.key)


async def started_anew(redis, *facts):
    """Have the server's life be another one than that which these facts tell of."""
    await redis.hset(EVENTS.facts, mapping=dict.fromkeys(facts, "the life before"))


async def is_there(redis, source):
    """Return when a source has shown itself to a server that was started anew."""
    run = (await redis.info("server"))["run_id"].encode()
    async with asyncio.timeout(20):
        while await redis.hget(EVENTS.facts, f"{source}.run") != run:  # noqa: ASYNC110  Redis rings no bell
            await asyncio.sleep(0.01)


async def test_after_a_restart_nothing_new_goes_in_before_all_sources_and_the_writer_were_there(redis):
    one, other = await outbox(redis, source="one"), await outbox(redis, source="other")
    await one.append(packet(1, b"a"))
    reader, _ = await inbox(redis)
    await started_anew(redis, "run", "next_run", "one.run", "raised_run")

    appending = [asyncio.create_task(one.append(packet(2, b"b")))]
    await is_there(redis, "one")
    appending.append(asyncio.create_task(other.append(packet(1, b"c"))))
    await is_there(redis, "other")
    assert 1 == await redis.xlen(EVENTS.key)
    await reader.raise_end(0)
    await asyncio.wait_for(asyncio.gather(*appending), 2)

    assert 3 == await redis.xlen(EVENTS.key)


async def test_after_a_restart_a_source_that_never_comes_is_not_waited_for_long(redis):
    one, _ = await outbox(redis, source="one"), await outbox(redis, source="other")
    await one.append(packet(1, b"a"))
    await started_anew(redis, "run", "next_run", "one.run")
    began_s = monotonic_s()
    await one.append(packet(2, b"b"))

    assert 4 < monotonic_s() - began_s < 30


async def test_a_commit_moves_everything_at_once_and_only_once(redis):
    await (await outbox(redis)).append(packet(1, b"a", b"b"))
    reader, _ = await inbox(redis)
    (entry,) = await reader.read(">", count=10, block_ms=None)
    await reader.begin(0, b"manifest")
    carried = Carried({DERIVED: pack([b"x", b"y"])}, {"wanted:tokens": ["7"]})
    for _ in range(2):
        await reader.commit(0, 2, [entry.id], carried)

    assert (2, 2) == await progress(redis, EVENTS, "readers")
    assert 0 == (await redis.xpending(EVENTS.key, "readers"))["pending"]
    assert [b"x\ny"] == [fields[b"data"] for _, fields in await redis.xrange(DERIVED.key)]
    assert {b"7"} == await redis.smembers("wanted:tokens")
    assert not await redis.hexists(EVENTS.group("readers"), "manifest")


async def test_the_next_owner_finds_the_batch_in_flight_and_its_entries(redis):
    await (await outbox(redis)).append(packet(1, b"a", b"b"))
    dead, _ = await inbox(redis)
    (entry,) = await dead.read(">", count=10, block_ms=None)
    await dead.begin(0, b"manifest")
    reader, owned = await inbox(redis)

    assert (b"manifest", 1, 0) == (owned.manifest, owned.attempts, owned.position)
    assert [entry] == await reader.between(entry.id, entry.id)
    assert [entry] == await reader.read("0", count=10, block_ms=None)


async def test_an_entry_that_is_not_ours_comes_with_its_bytes_and_a_flaw(redis):
    await redis.xadd(EVENTS.key, {"data": "by hand", "timestamp": "now"})
    await redis.xadd(EVENTS.key, {"o": "0", "n": "2", "data": "one line"})
    reader, _ = await inbox(redis)
    by_hand, short = await reader.read(">", count=10, block_ms=None)

    assert (0, b"data: by hand\ntimestamp: now") == (by_hand.records, by_hand.data)
    assert "expected the fields o, n and data" in by_hand.flaw
    assert "expected 2 lines, found 1" == short.flaw


def test_everything_of_a_shard_hashes_to_one_node():
    plain, sharded = Shard(TRADES, 0, 1), Shard(BOOKS, 3, 4)

    assert ("stream:trades", "shard:{stream:trades}") == (plain.key, plain.facts)
    assert ("stream:{books:3}", "shard:{books:3}", "group:{books:3}:writer") == (
        sharded.key,
        sharded.facts,
        sharded.group("writer"),
    )


def test_a_symbol_stays_in_its_shard_for_ever():
    assert [3, 0, 0, 0] == [shard_of("binance", symbol, 4) for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")]


def test_entries_keep_to_their_bounds_and_lose_no_line():
    lines = [b"x" * 100] * (MAX_RECORDS + 1) + [b"y" * (MAX_BYTES + 1)] + [b"z" * 60_000] * 3
    entries = pack(lines)

    assert lines == [line for entry in entries for line in entry.data.split(b"\n")]
    assert all(entry.records <= MAX_RECORDS for entry in entries)
    assert all(len(entry.data) <= MAX_BYTES or entry.records == 1 for entry in entries)
