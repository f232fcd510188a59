"""Dead letters put back: each once, for the program that set it aside, however often and by whomever it is asked."""

import json
import signal
import subprocess

import pytest

from common.codec import Origin, dead_letter
from common.inbox import Inbox
from common.place import Carried
from common.redis_streams import connect, shards
from common.settings import Settings
from common.settling import SETTLED, redrive, settled
from tests.faults.test_consumers_fence import stored, write, written_to
from tests.faults.test_consumers_proof import proof
from tests.fleet_harness import PYTHON, ROOT, wait_for
from tests.test_consume import SHARD, TICKERS, append, letters, ticker

pytestmark = [pytest.mark.redis, pytest.mark.timeout(180)]
RULE = "ALTER TABLE tickers ADD CONSTRAINT sane CHECK last_price < 100"


def dlq(fleet, *words):
    command = [PYTHON, "-m", "monitoring.cli", "dlq", *words]
    ended = subprocess.run(command, cwd=ROOT, env=fleet.environment, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout


def outcomes(fleet, *words):
    code, told = dlq(fleet, *words, "--json")
    return code, {row["outcome"]: row["letters"] for row in json.loads(told)}


def refused(fleet, records, *, every):
    """A table with a rule that every so many records break, and their letters."""
    fleet.command(RULE)
    write(fleet)
    append(fleet, *(ticker(number, "500" if number % every == 0 else "1") for number in range(records)))
    written_to(fleet, records)
    wait_for(lambda: len(letters(fleet)), expected=-(-records // every), what="dead letters")
    fleet.command("ALTER TABLE tickers DROP CONSTRAINT sane")


@pytest.mark.clickhouse
def test_what_was_refused_is_stored_once_after_its_letters_were_put_back_twice(fleet):
    refused(fleet, 20, every=10)

    assert (0, {"redriven": 2}) == outcomes(fleet, "redrive", "--reason", "sane")
    assert (0, {"settled before": 2}) == outcomes(fleet, "redrive", "--all")
    wait_for(lambda: stored(fleet), expected=[n for n in range(22) if n not in (0, 10)], what="rows")
    assert [(2,)] == fleet.sql("SELECT count() FROM tickers WHERE last_price = 500")
    assert (0, 20, 0, [(0, 1, "dead letters"), (10, 11, "dead letters")]) == proof(fleet)


@pytest.mark.clickhouse
def test_a_letter_that_was_dropped_is_not_put_back(fleet):
    refused(fleet, 20, every=10)

    assert (0, {"dropped": 2}) == outcomes(fleet, "drop", "--all")
    assert (0, {"settled before": 2}) == outcomes(fleet, "redrive", "--all")
    assert {"dropped"} == set(fleet.redis.hgetall(SETTLED).values())
    assert "dropped" in dlq(fleet, "ls")[1]
    assert 2 == dlq(fleet, "redrive")[0]
    assert 1 == dlq(fleet, "redrive", "no-such-id")[0]


@pytest.mark.clickhouse
def test_killed_in_the_middle_and_run_again_every_letter_goes_back_once(fleet):
    refused(fleet, 1000, every=1)
    command = [PYTHON, "-m", "monitoring.cli", "dlq", "redrive", "--all"]
    running = subprocess.Popen(command, cwd=ROOT, env=fleet.environment, stdout=subprocess.DEVNULL)
    wait_for(lambda: fleet.redis.hlen(SETTLED) > 20, what="some")
    running.send_signal(signal.SIGKILL)
    running.wait()

    assert fleet.redis.hlen(SETTLED) < 1000
    assert 0 == dlq(fleet, "redrive", "--all")[0]
    wait_for(lambda: stored(fleet), expected=list(range(1000, 2000)), what="rows")
    assert [(1000,)] == fleet.sql("SELECT uniqExact(received_time) FROM tickers")


async def test_a_letter_goes_to_the_program_that_set_it_aside_and_others_pass_it_by(redis_only):
    redis = connect(Settings(redis_host="127.0.0.1", redis_port=redis_only.redis_port))
    await shards(redis, TICKERS, Settings())
    letter = dead_letter(ticker(7), Origin("one", SHARD.key, "place", 1), reason="any")
    inboxes = [Inbox(redis, SHARD, group) for group in ("one", "other")]
    for inbox in inboxes:
        await inbox.register()
        await inbox.acquire("me", None)

    assert ["redriven", "settled before"] == [await redrive(redis, letter) for _ in range(2)]
    entries = [entry for inbox in inboxes for entry in await inbox.read(">", count=9, block_ms=None)]
    assert [(0, 1, ticker(7)), (0, 1, b"")] == [(entry.offset, entry.records, entry.data) for entry in entries]
    await inboxes[1].commit(0, 1, [entries[1].id], Carried())
    assert {letter.id: "redriven stream:tickers 0 1 one"} == await settled(redis)
    await redis.aclose()


async def test_bytes_that_came_from_a_wire_have_no_stream_to_go_back_to(redis_only):
    redis = connect(Settings(redis_host="127.0.0.1", redis_port=redis_only.redis_port))

    assert "not from a stream" == await redrive(redis, dead_letter(b"?", Origin("a", "", "b", 1), reason="any"))
    await redis.aclose()
