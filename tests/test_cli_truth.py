"""What the command line says is so: a reader who left, a name that does not exist, a search that was cut short."""

import json
import os
import re
import subprocess
import sys

import pytest

from common.settling import SETTLED
from monitoring.cli.exits import USAGE
from monitoring.cli.tail import MOST_ENTRIES
from tests.cli_kit import house, nowhere, run
from tests.fleet_harness import ROOT

__all__ = ["house", "nowhere", "run"]

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]


def test_a_reader_who_has_seen_enough_is_not_taken_for_a_redis_that_does_not_answer(house):
    command = f"{sys.executable} -m monitoring.cli tail candles | true; echo ${{PIPESTATUS[0]}}"
    environment = {**house.environment, "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    house.redis.hset("topics", "candles", "1")
    house.redis.xadd("stream:candles", {"o": 0, "n": 1, "data": "x" * 200_000})  # more than a pipe holds
    done = subprocess.run(
        ["bash", "-c", command], cwd=house.folder, env=environment, capture_output=True, text=True, check=True
    )

    assert ("1\n", "") == (done.stdout, done.stderr)


def test_tail_says_that_nothing_fits_and_in_how_much_of_the_stream(house, run):
    code, out, said = run(house.environment, "tail", "trades", "--where", "symbol=NOPE")

    assert (0, "") == (code, out)
    assert said == "fleet: none fits in the newest 2 entries\n"


def test_tail_compares_fields_as_the_page_of_a_stream_does_and_says_where_it_stopped(house, run):
    house.redis.hset("topics", "bars", "1")
    with house.redis.pipeline(transaction=False) as pipe:
        for number in range(MOST_ENTRIES + 1):
            pipe.xadd("stream:bars", {"o": number, "n": 1, "data": '{"is_closed":true}'})
        pipe.execute()
    _, closed, _ = run(house.environment, "tail", "bars", "-n", "1", "--where", "is_closed=true")
    _, growing, said = run(house.environment, "tail", "bars", "-n", "1", "--where", "is_closed=false")

    assert (True, "") == (closed.endswith('{"is_closed":true}\n'), growing)
    assert said == "fleet: none fits in the newest 5,000 entries; older ones were not looked through\n"


@pytest.mark.parametrize("name", ["nosuch", "clickhouse_write"])
def test_a_group_that_does_not_exist_is_not_a_group_with_no_place(house, run, name):
    code, out, said = run(house.environment, "groups", name)

    assert (USAGE, "") == (code, out)
    assert f"no group {name}: there are clickhouse_writer" in said


def test_dead_letters_of_a_kind_are_looked_at_before_they_go_back(house, run):
    (letter,) = json.loads(run(house.environment, "dlq", "ls", "--json")[1])
    kind = re.sub("[0-9]+", "#", letter["reason"])
    _, none, said = run(house.environment, "dlq", "redrive", "--kind", f"{kind} or so", "--dry-run", "--json")
    code, out, told = run(house.environment, "dlq", "redrive", "--kind", kind, "--dry-run", "--json")

    assert ([], True) == (json.loads(none), "no dead letter is meant" in said)
    assert (0, [{"where": "stream:trades", "outcome": "open", "letters": 1}]) == (code, json.loads(out))
    assert ("fleet: nothing was changed\n", False) == (told, house.redis.exists(SETTLED) == 1)


def test_a_server_that_is_away_is_told_by_its_cause_and_not_by_the_address_of_the_question(run, nowhere):
    _, out, _ = run(nowhere, "doctor", "--json")

    assert "connect: connection refused" == next(
        finding["found"] for finding in json.loads(out) if finding["check"] == "clickhouse"
    )
