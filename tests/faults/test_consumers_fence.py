"""Killed between insert and commit, frozen before a commit: nothing lost or doubled; and not so without the means."""

import signal
import time
from pathlib import Path

import pytest

from common.streams import TICKERS
from tests.faults.test_consumers_state import append as append_trades
from tests.faults.test_consumers_state import lines, live, position, uninterrupted
from tests.fleet_harness import PYTHON, wait_for
from tests.test_consume import SHARD, append, ticker

GROUP = "clickhouse_writer"


def write(fleet, process="clickhouse_writer", **environment):
    fleet.environment |= {"CRASH": "", **environment}
    fleet.start(process, PYTHON, "-m", "tests.faults.writing", process)


def stored(fleet):
    return [offset for (offset,) in fleet.sql("SELECT offset FROM tickers ORDER BY offset")]


def written_to(fleet, end):
    wait_for(lambda: fleet.redis.hget(SHARD.group(GROUP), "position"), expected=str(end), what="position")


def killed_between_insert_and_commit(fleet, **environment):
    for number in range(20):
        append(fleet, ticker(number))
    write(fleet, CRASH="commit:1:before", **environment)
    assert -signal.SIGKILL == fleet.processes["clickhouse_writer"][0].wait(30)
    append(fleet, *(ticker(number) for number in range(20, 30)))
    write(fleet, **environment)
    written_to(fleet, 30)
    return stored(fleet)


@pytest.mark.redis
@pytest.mark.clickhouse
@pytest.mark.timeout(120)
def test_killed_between_insert_and_commit_every_row_stands_once(fleet):
    assert list(range(30)) == killed_between_insert_and_commit(fleet)


@pytest.mark.redis
@pytest.mark.clickhouse
@pytest.mark.timeout(120)
def test_without_a_manifest_and_a_look_at_the_table_the_same_kill_doubles(fleet):
    assert list(range(30)) != killed_between_insert_and_commit(fleet, WITHOUT="manifest,doubt")


@pytest.mark.redis
@pytest.mark.clickhouse
@pytest.mark.timeout(120)
def test_a_stop_while_clickhouse_is_away_hands_the_open_batch_over(fleet):
    write(fleet)
    append(fleet, ticker(0))
    written_to(fleet, 1)
    fleet.kill("clickhouse")
    append(fleet, *(ticker(number) for number in range(1, 30)))
    wait_for(lambda: "delivery.waiting" in fleet.log("clickhouse_writer"), what="an open outcome")
    began_s = time.monotonic()

    assert 0 == fleet.end("clickhouse_writer")
    assert time.monotonic() - began_s < 5
    assert fleet.redis.hget(SHARD.group(GROUP), "owner") is None
    fleet.start_clickhouse()
    write(fleet, "other")
    written_to(fleet, 30)
    assert list(range(30)) == stored(fleet)


def frozen_before_a_commit(fleet, **environment):
    append_trades(fleet, range(100))
    live(fleet, "frozen", FREEZE="commit:2:before", **environment)
    wait_for(lambda: "T" == state_of(fleet, "frozen"), what="frozen")
    live(fleet, "other", FREEZE="", **environment)
    append_trades(fleet, range(100, 150))
    wait_for(lambda: position(fleet), expected=150, what="taken over")
    fleet.signal("frozen", signal.SIGCONT)
    wait_for(lambda: is_awake(fleet), what="awake")
    return lines(fleet, TICKERS)


def state_of(fleet, process):
    return Path(f"/proc/{fleet.pid(process)}/stat").read_text().split()[2]


def is_awake(fleet):
    """Whether the frozen one has tried its commit: it lost its shard, or went on as if it had not."""
    return "consume.lost_shard" in fleet.log("frozen") or len(lines(fleet, TICKERS)) > 150


@pytest.mark.redis
@pytest.mark.timeout(60)
def test_a_commit_of_a_frozen_owner_that_wakes_up_is_refused(redis_only):
    assert uninterrupted(range(150))[0] == frozen_before_a_commit(redis_only)


@pytest.mark.redis
@pytest.mark.timeout(60)
def test_without_the_fence_the_same_owner_doubles(redis_only):
    assert uninterrupted(range(150))[0] != frozen_before_a_commit(redis_only, WITHOUT="fence")
