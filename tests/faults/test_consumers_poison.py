"""Records that kill whoever takes them: found by halving over many lives, set aside alone, and the shard moves on."""

import asyncio

import msgspec
import pytest

from common.records import DeadLetter, Trade
from common.streams import DEAD_LETTERS, STATUSES, TICKERS
from processors.company import Company
from processors.manifest import Manifest
from processors.poison import after_death, after_removal, after_success, next_step
from tests.faults.counting import DEADLY, GROUP
from tests.faults.test_consumers_state import SHARD, lines, live, position, trade, uninterrupted
from tests.fleet_harness import wait_for

MOST_LIVES = 60


def deadly(number):
    return msgspec.structs.replace(trade(number), symbol=DEADLY)


def append(fleet, records, *, an_entry=5):
    for at in range(0, len(records), an_entry):
        part = [msgspec.json.encode(record) for record in records[at : at + an_entry]]
        offset = int(fleet.redis.hget(SHARD.facts, "offset") or 0)
        fleet.redis.xadd(SHARD.key, {"o": offset, "n": len(part), "data": b"\n".join(part)})
        fleet.redis.hset(SHARD.facts, "offset", offset + len(part))


def live_until_done(fleet, end, **environment):
    """Start again whatever dies, as Supervisor does; return how many lives it took."""
    for lives in range(1, MOST_LIVES):
        live(fleet, **environment)
        process, _ = fleet.processes["one"]
        wait_for(lambda process=process: process.poll() is not None or position(fleet) == end, what="an end")
        if process.poll() is None:
            assert 0 == fleet.end("one")
            return lives
    raise AssertionError(f"expected position {end}, found {position(fleet)} after {MOST_LIVES} lives")


def letters(fleet):
    return [msgspec.json.decode(line, type=DeadLetter) for line in lines(fleet, DEAD_LETTERS)]


@pytest.mark.redis
@pytest.mark.timeout(180)
@pytest.mark.parametrize("every_s", ["0", "3600"])
def test_only_the_deadly_record_is_set_aside_with_its_bytes(redis_only, every_s):
    records = [deadly(number) if number == 37 else trade(number) for number in range(90)]
    append(redis_only, records)
    lives = live_until_done(redis_only, 90, EVERY_S=every_s)
    append(redis_only, [trade(number) for number in range(90, 100)])
    live_until_done(redis_only, 100, EVERY_S=every_s)  # whose state meets the deadly record again, if it catches up

    (letter,) = letters(redis_only)
    assert msgspec.json.encode(records[37]).decode() == letter.payload
    assert "the process died 2 times while it had this record alone in hand" == letter.reason
    assert uninterrupted(n for n in range(100) if n != 37) == (lines(redis_only, TICKERS), lines(redis_only, STATUSES))
    assert lives <= 12
    assert {"pending": 0} == {"pending": redis_only.redis.xpending(SHARD.key, GROUP)["pending"]}


@pytest.mark.redis
@pytest.mark.timeout(180)
def test_a_shard_of_nothing_but_deadly_records_moves_on(redis_only):
    append(redis_only, [deadly(number) for number in range(6)])
    live_until_done(redis_only, 6)

    assert [str(number) for number in range(6)] == [
        msgspec.json.decode(letter.payload, type=Trade).trade_id for letter in letters(redis_only)
    ]


def tried(guilty, records, *, first=100):
    """Walk a batch as its lives would; return the records set aside and how many lives were lost."""
    position, end, suspicion, removed, deaths = first, first + records, None, [], 0
    while position < end:
        stop = end if suspicion is None else min(end, position + suspicion.size)
        manifest = Manifest("stream:trades", GROUP, "1-0", "2-0", position, stop, suspicion=suspicion)
        lost = {"attempts": 0, "alone": 0}
        while guilty & set(range(manifest.start, manifest.stop)):
            step = next_step(manifest, **lost)
            if step == "set aside":
                removed.append(position)
                suspicion = after_removal(manifest.suspicion, position + 1)
                break
            if step == "halve":
                suspicion = after_death(manifest)
                half = position + suspicion.size
                manifest = msgspec.structs.replace(manifest, stop=half, suspicion=suspicion)
                lost = {"attempts": 0, "alone": 0}
                continue
            deaths += 1
            is_alone = step == "alone" or manifest.suspicion is not None
            lost = {"attempts": lost["attempts"] + 1, "alone": lost["alone"] + is_alone}
        else:
            suspicion = after_success(manifest.suspicion, manifest.stop)
        position = manifest.stop
    return removed, deaths


@pytest.mark.parametrize("guilty", [{100}, {149}, {1099}, {100, 101, 700}, set(range(400, 420)), set()])
def test_halving_finds_exactly_the_guilty_records_and_costs_few_lives(guilty):
    removed, deaths = tried(guilty, 1000)

    assert sorted(guilty) == removed
    assert deaths <= 20 * len(guilty)


def test_a_batch_of_one_is_not_condemned_for_the_company_it_kept():
    alone = Manifest("stream:trades", GROUP, "1-0", "1-0", 5, 6)

    assert ["go on", "alone", "alone", "set aside"] == [
        next_step(alone, attempts=attempts, alone=by_itself) for attempts, by_itself in ((1, 0), (9, 0), (9, 1), (9, 2))
    ]


async def test_whoever_works_alone_waits_for_the_others_and_they_for_it():
    company, seen = Company(), []
    async with company.among():
        alone = company.alone()
        waiting = asyncio.create_task(alone.__aenter__())
        await asyncio.sleep(0)
        seen.append(waiting.done())
    await waiting
    other = asyncio.create_task(company.among().__aenter__())
    await asyncio.sleep(0)
    seen.append(other.done())
    await alone.__aexit__(None, None, None)
    await other

    assert [False, False] == seen
