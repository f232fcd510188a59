"""Hands in Redis: groups, streams, entries deleted; an emptied Redis, or one with less: healed, and holes are named."""

import msgspec
import pytest

from common.records import FeedEvent
from common.streams import FEED_EVENTS
from tests.faults.test_consumers_fence import GROUP, stored, write, written_to
from tests.fleet_harness import wait_for
from tests.test_consume import SHARD, append, ticker

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(120)]


def events(fleet):
    """What was told of the shard, as it stands in the stream."""
    entries = fleet.redis.xrange(FEED_EVENTS.key(0, 1))
    told = [msgspec.json.decode(line, type=FeedEvent) for _, entry in entries for line in entry["data"].splitlines()]
    return [event for event in told if event.channel == "tickers"]


def extents(fleet):
    """The kinds of what was told, and from and up to which record."""
    return [(event.kind, event.expected, event.found) for event in events(fleet)]


def test_a_group_deleted_by_hand_goes_on_where_it_was(fleet):
    write(fleet)
    append(fleet, *(ticker(number) for number in range(10)))
    written_to(fleet, 10)
    fleet.redis.xgroup_destroy(SHARD.key, GROUP)
    append(fleet, *(ticker(number) for number in range(10, 20)))
    written_to(fleet, 20)

    assert list(range(20)) == stored(fleet)
    wait_for(lambda: extents(fleet), expected=[("resync", f"the group {GROUP}", "none")], what="told")
    assert 0 == fleet.redis.xpending(SHARD.key, GROUP)["pending"]


@pytest.mark.parametrize("moved_to", ["0", "$"])
def test_a_group_that_was_moved_by_hand_neither_repeats_nor_skips(fleet, moved_to):
    write(fleet)
    append(fleet, *(ticker(number) for number in range(10)))
    written_to(fleet, 10)
    fleet.end("clickhouse_writer")
    append(fleet, *(ticker(number) for number in range(10, 20)))
    fleet.redis.xgroup_setid(SHARD.key, GROUP, moved_to)
    append(fleet, *(ticker(number) for number in range(20, 30)))
    write(fleet)
    written_to(fleet, 30)

    assert list(range(30)) == stored(fleet)
    assert [] == events(fleet)
    assert 0 == fleet.redis.xpending(SHARD.key, GROUP)["pending"]


def test_a_stream_deleted_by_hand_leaves_a_hole_that_is_named(fleet):
    write(fleet)
    append(fleet, *(ticker(number) for number in range(10)))
    written_to(fleet, 10)
    fleet.end("clickhouse_writer")
    append(fleet, *(ticker(number) for number in range(10, 15)))
    fleet.redis.delete(SHARD.key)
    append(fleet, *(ticker(number) for number in range(15, 20)))
    write(fleet)
    written_to(fleet, 20)

    assert [*range(10), *range(15, 20)] == stored(fleet)
    wait_for(lambda: ("gap", "record 10", "record 15") in extents(fleet), what="told")


@pytest.mark.parametrize("crash", ["", "commit:1:before"])
def test_an_entry_deleted_by_hand_leaves_a_hole_that_is_named(fleet, crash):
    for number in range(10):
        append(fleet, ticker(number))
    if crash:
        write(fleet, CRASH="begin:1:after")
        fleet.processes["clickhouse_writer"][0].wait(30)
    entry_id, fields = fleet.redis.xrange(SHARD.key)[4]
    assert "4" == fields["o"]
    fleet.redis.xdel(SHARD.key, entry_id)
    write(fleet)
    written_to(fleet, 10)

    assert [number for number in range(10) if number != 4] == stored(fleet)
    wait_for(lambda: extents(fleet), expected=[("gap", "record 4", "record 5")], what="told")
    assert 0 == fleet.redis.xpending(SHARD.key, GROUP)["pending"]


def test_an_emptied_redis_counts_on_from_what_the_tables_hold_and_tells(fleet):
    write(fleet)
    append(fleet, *(ticker(number) for number in range(10)))
    written_to(fleet, 10)
    fleet.redis.flushall()
    wait_for(lambda: fleet.redis.hget(SHARD.facts, "offset"), expected="10", what="counting on")
    append(fleet, *(ticker(number) for number in range(10, 20)))
    written_to(fleet, 20)

    assert list(range(20)) == stored(fleet)
    kinds = [(kind, expected) for kind, expected, _ in extents(fleet)]
    assert [("gap", "record 10, as ClickHouse holds those before")] == kinds


def lost_its_newest(fleet, *, keeps_entries):
    """Redis as a power cut leaves it: what came after record 10, stored by now, was never heard of."""
    write(fleet)
    append(fleet, *(ticker(number) for number in range(10)))
    written_to(fleet, 10)
    facts, group = fleet.redis.hgetall(SHARD.facts), fleet.redis.hgetall(SHARD.group(GROUP))
    for number in range(10, 20):  # one by one: they will be read in other pieces
        append(fleet, ticker(number))
    written_to(fleet, 20)
    fleet.end("clickhouse_writer")
    fleet.redis.hset(SHARD.group(GROUP), mapping={name: group[name] for name in ("position", "last_id")})
    if not keeps_entries:
        fleet.redis.hset(SHARD.facts, mapping=facts)
        fleet.redis.xtrim(SHARD.key, maxlen=1, approximate=False)
        fleet.redis.xdel(SHARD.key, fleet.redis.xrange(SHARD.key)[-1][0])


def test_a_lost_commit_doubles_nothing(fleet):
    lost_its_newest(fleet, keeps_entries=True)
    write(fleet)
    written_to(fleet, 20)

    assert list(range(20)) == stored(fleet)


def test_without_a_look_at_the_table_a_lost_commit_doubles(fleet):
    lost_its_newest(fleet, keeps_entries=True)
    write(fleet, WITHOUT="doubt")
    written_to(fleet, 20)

    assert list(range(20)) != stored(fleet)


def test_new_records_under_numbers_that_come_again_are_not_taken_for_the_old_ones(fleet):
    lost_its_newest(fleet, keeps_entries=False)
    append(fleet, *(ticker(number) for number in range(50, 55)))
    write(fleet)
    wait_for(lambda: fleet.redis.hget(SHARD.facts, "offset"), expected="20", what="counting on")
    append(fleet, *(ticker(number) for number in range(55, 60)))
    written_to(fleet, 25)

    times = fleet.sql("SELECT toUnixTimestamp64Nano(received_time) - 1700000000000000000 AS n FROM tickers ORDER BY n")
    assert [*range(20), *range(50, 60)] == [number for (number,) in times]
