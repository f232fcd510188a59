"""
The way into Redis under kill -9, as Supervisor runs it: what the venue has sent stands once and in order, or is told.

The venue sends numbers, each once, to whoever is connected; its ledger is the truth.
"""

import asyncio
import os
import random
import shutil
import subprocess
import time
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from tests.faults.plain_venue import NAME, Numbers, killed, restart_redis, until
from tests.fleet_harness import PYTHON
from tests.ingest_kit import events, records, redis_of_module, venue_socket

__all__ = ["redis_of_module"]

pytestmark = [pytest.mark.redis, pytest.mark.timeout(150)]

LOST_BY_A_KILL = 2000  # at most: a second's worth in sockets, in the ingester and before the next write to the disk


@pytest.fixture
def fleet(redis_of_module, monkeypatch):
    """A private Redis with nothing in it; its programs are ended and the folder of data is emptied."""
    fleet = redis_of_module
    fleet.redis.config_set("maxmemory", "0")
    fleet.redis.flushall()
    monkeypatch.setitem(fleet.environment, "WITHOUT", "")
    yield fleet
    if NAME in fleet.processes:
        fleet.end(NAME)
        del fleet.processes[NAME]
    if fleet.processes["redis"][0].poll() is not None:
        restart_redis(fleet)
    shutil.rmtree(fleet.folder / "spool", ignore_errors=True)


@asynccontextmanager
async def numbers(fleet):
    """A venue, and the ingester that records it, at work."""
    venue = Numbers()
    async with venue_socket(venue.talk) as url:
        fleet.start(NAME, PYTHON, "-m", "tests.faults.plain_ingester", url)
        await until(lambda: len(standing(fleet)) > 100, "the first numbers")
        yield venue


def standing(fleet):
    return [int(record.trade_id) for record in records(fleet, "trades")]


async def ended(fleet, venue):
    """Tell the ingester to stop, and return everything that stands, once and in order."""
    await asyncio.to_thread(fleet.end, NAME)
    found = await asyncio.to_thread(standing, fleet)
    offsets = [int(entry["o"]) for _, entry in fleet.redis.xrange("stream:trades")]

    assert sorted(set(found)) == found, "doubled or out of order"
    assert sorted(set(offsets)) == offsets
    assert set(found) <= set(range(venue.sent))
    return found


def whole(found):
    """Return whether nothing is missing but what was on the wire when the ingester was told to stop."""
    return found == list(range(len(found)))


async def test_redis_is_killed_again_and_again_under_load_and_nothing_is_lost(fleet):
    chance = random.Random(7)
    async with numbers(fleet) as venue:
        for _ in range(6):
            await killed(fleet, "redis")
            await asyncio.sleep(chance.uniform(0.0, 1.5))
            await asyncio.to_thread(restart_redis, fleet)
            await asyncio.sleep(chance.uniform(0.1, 1.0))
        sent = venue.sent
        await until(lambda: len(standing(fleet)) >= sent, "drained")
        found = await ended(fleet, venue)

    assert sent > 5_000
    assert whole(found)
    assert [] == [event for event in events(fleet, "gap") if "killed?" not in event.detail]


async def test_redis_is_killed_while_what_was_spooled_drains(fleet):
    async with numbers(fleet) as venue:
        await killed(fleet, "redis")
        await asyncio.sleep(1.5)
        for _ in range(6):
            await asyncio.to_thread(restart_redis, fleet)
            await asyncio.sleep(0.03)
            await killed(fleet, "redis")
        await asyncio.to_thread(restart_redis, fleet)
        sent = venue.sent
        await until(lambda: len(standing(fleet)) >= sent, "drained")
        found = await ended(fleet, venue)

    assert whole(found)


@pytest.mark.parametrize("moment", ["redis is well", "redis is away", "what was spooled drains"])
async def test_a_killed_ingester_doubles_nothing_and_tells_what_it_may_have_lost(fleet, moment):
    kills = 2
    async with numbers(fleet) as venue:
        for _ in range(kills):
            if moment != "redis is well":
                await killed(fleet, "redis")
                await asyncio.sleep(2.0)
            if moment == "what was spooled drains":
                await asyncio.to_thread(restart_redis, fleet)
                await asyncio.sleep(0.02)
            await killed(fleet, NAME)
            if moment == "redis is away":
                await asyncio.to_thread(restart_redis, fleet)
            before = len(standing(fleet))
            fleet.restart(NAME)
            await until(lambda before=before: len(standing(fleet)) > before + 1000, "it goes on")
        found = await ended(fleet, venue)

    told = [event for event in events(fleet, "gap", "disconnected") if "ended without a word" in event.detail]
    assert kills == len(told)
    assert max(found) + 1 - len(found) < kills * LOST_BY_A_KILL * 0.5
    assert all(event.from_ns < event.to_ns for event in told)


async def test_killed_with_what_it_has_read_and_not_appended_and_in_its_first_second_it_tells_all_that_it_lost(fleet):
    async with numbers(fleet) as venue:
        fleet.redis.client_pause(10_000, all=False)
        before = venue.sent
        await until(lambda: venue.sent > before + 600, "frames are read")  # no append ends any more
        await killed(fleet, NAME)
        fleet.redis.client_unpause()
        for is_there in (has_started, has_claimed, has_appended):
            seen = mark(fleet)
            fleet.restart(NAME)
            await until(lambda there=is_there, seen=seen: there(fleet, seen), is_there.__name__)
            await killed(fleet, NAME)
        fleet.restart(NAME)
        there = len(standing(fleet))
        await until(lambda: len(standing(fleet)) > there + 1000, "it goes on")
        found = await ended(fleet, venue)

    assert max(found) + 1 > len(found)
    assert [] == untold(fleet)


def mark(fleet):
    """Return (starts, epoch, packets) of the ingester so far."""
    epoch = fleet.redis.hget("shard:{stream:trades}", f"{NAME}.epoch")
    return fleet.log(NAME).count("program.started"), epoch, fleet.redis.xlen("stream:trades")


def has_started(fleet, seen):
    return mark(fleet)[0] > seen[0]


def has_claimed(fleet, seen):
    return mark(fleet)[1] != seen[1]


def has_appended(fleet, seen):
    return mark(fleet)[2] > seen[2]


def untold(fleet):
    """Return the numbers before and behind each hole that no event speaks of."""
    found = [(int(one.trade_id), one.received_ns) for one in records(fleet, "trades")]
    told = [(one.from_ns, one.to_ns) for one in events(fleet, "gap", "disconnected")]
    return [
        (before, behind)
        for (before, from_ns), (behind, to_ns) in pairwise(found)
        if behind > before + 1 and not any(start <= to_ns and stop >= from_ns for start, stop in told)
    ]


@pytest.mark.parametrize(("without", "is_lost"), [("", False), ("spool", True)])
async def test_only_with_the_spool_an_outage_survives_the_kill_of_the_ingester(fleet, monkeypatch, without, is_lost):
    monkeypatch.setitem(fleet.environment, "WITHOUT", without)
    async with numbers(fleet) as venue:
        await killed(fleet, "redis")
        before = venue.sent
        await asyncio.sleep(2.5)
        during = venue.sent - before
        await killed(fleet, NAME)
        await asyncio.to_thread(restart_redis, fleet)
        fleet.restart(NAME)
        await until(lambda: max(standing(fleet)) > before + during, "it goes on")
        found = await ended(fleet, venue)

    lost = max(found) + 1 - len(found)
    assert is_lost is (lost > 0.8 * during)
    assert is_lost or lost < 0.2 * during


async def test_told_to_stop_while_redis_is_away_nothing_is_lost(fleet):
    async with numbers(fleet) as venue:
        await killed(fleet, "redis")
        await asyncio.sleep(1.5)
        started_s = time.monotonic()
        code = await asyncio.to_thread(fleet.end, NAME)
        took_s = time.monotonic() - started_s
        sent = venue.sent
        await asyncio.to_thread(restart_redis, fleet)
        fleet.restart(NAME)
        await until(lambda: max(standing(fleet)) > sent, "it goes on")
        found = await ended(fleet, venue)

    assert (0, True) == (code, took_s < 6)
    assert max(found) + 1 - len(found) < 200  # what the venue had put on the wire before it saw the socket close
    assert [] == [event for event in events(fleet, "gap", "disconnected") if "without a word" in event.detail]


async def test_a_full_redis_is_spooled_for_even_through_a_kill_and_never_evicts(fleet):
    async with numbers(fleet) as venue:
        fleet.redis.config_set("maxmemory", "1")
        full_at = venue.sent
        await asyncio.sleep(2)
        await killed(fleet, NAME)
        killed_at = venue.sent
        fleet.restart(NAME)
        await until(lambda: venue.sent > killed_at + 4000, "it records although redis is full")
        fleet.redis.config_set("maxmemory", "0")
        sent = venue.sent
        await until(lambda: max(standing(fleet)) >= sent, "drained")
        found = await ended(fleet, venue)

    assert killed_at - full_at > 2000
    assert max(found) + 1 - len(found) < LOST_BY_A_KILL * 0.5


async def test_an_emptied_redis_has_the_last_minute_again(fleet):
    async with numbers(fleet) as venue:
        await asyncio.sleep(2)
        await killed(fleet, "redis")
        shutil.rmtree(fleet.folder / "redis")
        (fleet.folder / "redis").mkdir()
        await asyncio.to_thread(restart_redis, fleet)
        sent = venue.sent
        await until(lambda: sent <= max(standing(fleet), default=0), "given again, and on")
        found = await ended(fleet, venue)

    assert whole(found)
    assert [] == events(fleet, "gap")
    assert "nothing is missing" in events(fleet, "backfilled")[0].detail


async def test_an_append_file_that_lost_its_end_is_made_whole(fleet):
    async with numbers(fleet) as venue:
        for _ in range(3):
            await asyncio.sleep(1)
            await killed(fleet, "redis")
            file = max((fleet.folder / "redis" / "appendonlydir").glob("*.incr.aof"), key=os.path.getmtime)
            os.truncate(file, max(1, file.stat().st_size - 200_000))
            await asyncio.to_thread(restart_redis, fleet)
            sent = venue.sent
            await until(lambda sent=sent: sent <= max(standing(fleet), default=0), "given again, and on")
        found = await ended(fleet, venue)

    assert whole(found)
    assert [] == events(fleet, "gap")


async def test_a_disk_that_is_full_stops_the_reading_and_loses_nothing(fleet):
    if os.geteuid() != 0:
        pytest.skip("needs root: a small file system is mounted for it")
    folder = fleet.folder / "spool" / NAME
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if await asyncio.to_thread(subprocess.call, mount):
        pytest.skip("mounting a file system is not allowed here")
    try:
        async with numbers(fleet) as venue:
            await killed(fleet, "redis")
            await until(lambda: "sink.spool_refused" in fleet.log(NAME), "the disk is full")
            await asyncio.sleep(1)
            await asyncio.to_thread(restart_redis, fleet)
            sent = venue.sent
            await until(lambda: max(standing(fleet)) >= sent, "drained")
            found = await ended(fleet, venue)
        assert whole(found)
        assert "disk is full" in fleet.log(NAME)
    finally:
        await asyncio.to_thread(subprocess.check_call, ["umount", "-l", str(folder)])


async def test_of_two_copies_an_idle_older_one_ends_within_seconds(fleet):
    quiet = asyncio.Event()

    async def talk(socket):
        await socket.send("0")
        await quiet.wait()

    async with venue_socket(talk) as url:
        fleet.start(NAME, PYTHON, "-m", "tests.faults.plain_ingester", url)
        await until(lambda: standing(fleet) == [0], "the first number")
        older = fleet.processes[NAME][0]
        fleet.start(NAME, *fleet.processes[NAME][1])
        code = await asyncio.to_thread(older.wait, 10)
        await until(lambda: fleet.redis.hget(f"proc:{NAME}", "state") == "running", "the newer one works")
        quiet.set()

    assert 2 == code


def test_an_evicting_redis_is_refused_at_the_start(fleet):
    fleet.redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        fleet.start(NAME, PYTHON, "-m", "tests.faults.plain_ingester", "ws://127.0.0.1:1/")
        code = fleet.processes[NAME][0].wait(20)
    finally:
        fleet.redis.config_set("maxmemory-policy", "noeviction")

    assert 2 == code
    assert "config set maxmemory-policy noeviction" in fleet.log(NAME)
