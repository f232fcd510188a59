"""The proof by SQL: silent when all is there, loud about the one row that is not, and it says why a row is missing."""

import json
import subprocess

import msgspec
import pytest

from common.records import Ticker
from tests.faults.counting import DEADLY
from tests.faults.test_consumers_fence import GROUP, write, written_to
from tests.fleet_harness import PYTHON, ROOT, wait_for
from tests.test_consume import SHARD, append, letters, ticker

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(120)]


def proof(fleet):
    """The exit code, and what is said of the tickers."""
    command = [PYTHON, "-m", "monitoring.cli", "quality", "--prove", "--json"]
    ended = subprocess.run(command, cwd=ROOT, env=fleet.environment, capture_output=True, text=True, check=False)
    (found,) = [part for part in json.loads(ended.stdout) if part["table"] == "tickers"]
    holes = [(hole["start"], hole["stop"], hole["why"].partition(":")[0]) for hole in found["holes"]]
    return ended.returncode, found["rows"], found["doubled"], holes


def filled(fleet):
    write(fleet)
    append(fleet, *(ticker(number, "much" if number in (3, 4, 9) else "1") for number in range(20)))
    written_to(fleet, 20)
    wait_for(lambda: len(letters(fleet)), expected=3, what="dead letters")


def test_dead_letters_explain_their_holes(fleet):
    filled(fleet)

    assert (0, 17, 0, [(3, 5, "dead letters"), (9, 10, "dead letters")]) == proof(fleet)


def test_a_row_that_vanished_is_named_and_the_exit_code_is_3(fleet):
    filled(fleet)
    fleet.command("ALTER TABLE tickers DELETE WHERE offset IN (7, 19) SETTINGS mutations_sync = 2")

    code, rows, doubled, holes = proof(fleet)
    assert (3, 15, 0) == (code, rows, doubled)
    assert [(7, 8, ""), (19, 20, "")] == [hole for hole in holes if not hole[2]]


def test_a_row_that_stands_twice_is_counted_and_the_exit_code_is_3(fleet):
    filled(fleet)
    fleet.command("INSERT INTO tickers SELECT * FROM tickers WHERE offset = 7 SETTINGS insert_deduplicate = 0")

    assert (3, 18, 1) == proof(fleet)[:3]


def test_a_deadly_record_among_others_is_a_dead_letter_and_the_rest_stands_once(fleet):
    deadly = msgspec.json.encode(Ticker("tester", DEADLY, 1, last_price="1"))
    append(fleet, *(deadly if number == 13 else ticker(number) for number in range(40)))
    deaths = 0
    while dies(fleet):
        deaths += 1
    wait_for(lambda: len(letters(fleet)), expected=1, what="the dead letter")

    assert deaths <= 12
    assert (0, 39, 0, [(13, 14, "dead letters")]) == proof(fleet)


def dies(fleet):
    """Whether a writer that is started now dies before all is committed."""
    write(fleet)
    process, _ = fleet.processes["clickhouse_writer"]
    wait_for(lambda: process.poll() is not None or position(fleet) == 40, what="an end")
    return process.poll() is not None


def position(fleet):
    return int(fleet.redis.hget(SHARD.group(GROUP), "position") or 0)
