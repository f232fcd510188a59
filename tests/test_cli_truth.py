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
from tests.fleet_harness import ROOT, free_port

__all__ = ["house", "nowhere", "run"]

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]


@pytest.fixture(scope="module")
def full(house):
    """A stream that nobody stores, with more in it than tail looks through, and than a pipe holds."""
    house.redis.hset("topics", "candles", "1")
    with house.redis.pipeline(transaction=False) as pipe:
        for number in range(MOST_ENTRIES + 1):
            pipe.xadd("stream:candles", {"o": number, "n": 1, "data": '{"is_closed":true}'})
        pipe.execute()
    return house


def test_a_reader_who_has_seen_enough_is_not_taken_for_a_redis_that_does_not_answer(full):
    command = f"{sys.executable} -m monitoring.cli tail candles -n 5000 | true; echo ${{PIPESTATUS[0]}}"
    environment = {**full.environment, "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["bash", "-c", command], cwd=full.folder, env=environment, capture_output=True, text=True, check=True
    )

    assert ("1\n", "") == (done.stdout, done.stderr)


def test_tail_says_that_nothing_fits_and_in_how_much_of_the_stream(house, run):
    code, out, said = run(house.environment, "tail", "trades", "--where", "symbol=NOPE")

    assert (0, "") == (code, out)
    assert said == "fleet: none fits in the newest 2 entries\n"


def test_tail_compares_fields_as_the_page_of_a_stream_does_and_says_where_it_stopped(full, run):
    _, closed, _ = run(full.environment, "tail", "candles", "-n", "1", "--where", "is_closed=true")
    _, growing, said = run(full.environment, "tail", "candles", "-n", "1", "--where", "is_closed=false")

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


def test_without_clickhouse_no_letter_is_not_said_of_all_and_none_is_put_back(house, run):
    half = {**house.environment, "CLICKHOUSE_PORT": str(free_port())}
    listed, _, said = run(half, "dlq", "ls", "--program", "nobody")
    redriven, _, refused = run(half, "dlq", "redrive", "--all")

    assert (3, "fleet: no dead letters of nobody where it could be looked") == (listed, said.splitlines()[-1])
    assert (4, True) == (redriven, "not done" in refused)


def test_alerts_that_nobody_looks_for_are_not_told_as_none(house, run):
    unwatched, out, said = run(house.environment, "alerts", "ls")
    house.redis.hset("proc:dashboard", "name", "dashboard")
    watched, well, _ = run(house.environment, "alerts", "ls")
    house.redis.delete("proc:dashboard")

    assert (3, "nothing fired when somebody looked last\n") == (unwatched, out)
    assert said.startswith("fleet: nobody looks now")
    assert (0, "nothing fires\n") == (watched, well)


@pytest.mark.parametrize("words", [("search", "nosuch", "sol"), ("try", "nosuch"), ("try", "alpaca")])
def test_a_venue_that_does_not_exist_is_not_one_without_a_list_or_an_address(house, run, words):
    code, _, said = run(house.environment, *words)

    assert (USAGE, True) == (code, said.startswith(f"fleet: no venue {words[1]}: expected one of "))


def test_sql_says_where_the_format_is_told(run, nowhere):
    code, _, said = run(nowhere, "sql", "SELECT 1 FORMAT JSON")

    assert (USAGE, True) == (code, said.startswith("fleet: leave FORMAT out of the statement"))


def test_a_program_that_is_off_is_not_recorded_from_now_on(house, run):
    _, _, said = run(house.environment, "record", "goldsky")
    run(house.environment, "record", "goldsky", "--stop")

    assert said == "fleet: goldsky_ingester: recorded as soon as it runs; it is off: switched off\n"


def test_an_export_that_cannot_be_written_says_why_and_leaves_nothing(house, run, tmp_path):
    code, _, said = run(house.environment, "export", "trades", "--to", str(tmp_path / "no" / "x.csv"))
    whole, out, _ = run(house.environment, "export", "trades", "--from", "2023-01-01", "--to", "x.csv", "--json")

    assert (1, True) == (code, said.endswith("No such file or directory\n"))
    assert (0, 10, ["x.csv"]) == (whole, json.loads(out)["rows"], [file.name for file in tmp_path.iterdir()])


def test_a_server_that_is_away_is_told_by_its_cause_and_not_by_the_address_of_the_question(run, nowhere):
    _, out, _ = run(nowhere, "doctor", "--json")

    assert "connect: connection refused" == next(
        finding["found"] for finding in json.loads(out) if finding["check"] == "clickhouse"
    )
