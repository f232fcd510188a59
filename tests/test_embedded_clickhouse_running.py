"""Queries that run: asked for by name, killed, timed out, left by their client, and remembered."""

import threading
from contextlib import closing, contextmanager

import pytest

from tests.embedded_fixtures import Answer, clickhouse
from tests.test_embedded_clickhouse_inserts import chunked

__all__ = ["clickhouse"]

pytestmark = pytest.mark.clickhouse

ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE number % 7 = 3"


@contextmanager
def running(clickhouse, query: str, query_id: str, **params):
    """Run a query beside the block; give a list that has its answer afterwards."""
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(clickhouse.ask(query, query_id=query_id, **params)))
    thread.start()
    clickhouse.wait_for(query_id, running=True)
    yield answers
    thread.join()


@pytest.mark.parametrize("query_id", ["plain", "with space", "*/ 'quoted' /*", "größe"])
def test_a_query_runs_under_the_name_its_client_gave(clickhouse, query_id):
    rows = clickhouse.rows("SELECT query_id, query FROM system.processes FORMAT TSVRaw", query_id=query_id)

    assert [f"{query_id}\tSELECT query_id, query FROM system.processes FORMAT TSVRaw"] == rows


def test_the_list_of_processes_can_be_joined_aliased_and_shown(clickhouse):
    joined = "SELECT p.query_id FROM system.processes AS p JOIN (SELECT 1 AS one) AS o ON o.one = 1"

    assert ["a"] == clickhouse.rows(joined, query_id="a")
    assert "b" in clickhouse.ask("SHOW PROCESSLIST", query_id="b").text


def test_a_system_table_shows_how_it_is_made(clickhouse):
    shown = clickhouse.ask("SHOW CREATE TABLE system.one FORMAT TSVRaw").text

    assert "CREATE TABLE system.one\n(\n    `dummy` UInt8\n)\nENGINE = SystemOne\n" == shown


def test_a_name_is_used_once_at_a_time(clickhouse):
    with running(clickhouse, ENDLESS, "twice"):
        second = clickhouse.ask("SELECT 1", query_id="twice")
        clickhouse.ask("KILL QUERY WHERE query_id = 'twice'")

    assert 216 == second.code


@pytest.mark.parametrize(
    "query", [ENDLESS, ENDLESS + " FORMAT JSON", f"CREATE TABLE killed ENGINE = Memory AS {ENDLESS}"]
)
def test_a_killed_query_says_so_and_is_gone(clickhouse, query):
    with running(clickhouse, query, "victim") as answers:
        told = clickhouse.ask("KILL QUERY WHERE query_id = 'victim' SYNC").text
        listed = clickhouse.is_running("victim")

    assert ("finished\tvictim", False, 394) == (told[:15], listed, answers[0].code)


def test_an_insert_that_waits_for_its_client_is_listed_and_can_be_killed(clickhouse):
    clickhouse.ask("CREATE TABLE waits (a UInt64) ENGINE = MergeTree ORDER BY a")
    with chunked(clickhouse.port, "waiting", b"INSERT INTO waits FORMAT CSV\n", b"1\n") as connection:
        clickhouse.wait_for("waiting", running=True)
        clickhouse.ask("KILL QUERY WHERE query_id = 'waiting' SYNC")
        reply = connection.recv(1000)

    assert (True, ["0"]) == (b"Code: 394." in reply, clickhouse.rows("SELECT count() FROM waits"))


def test_killing_nobody_finds_nobody(clickhouse):
    assert [] == clickhouse.rows("KILL QUERY WHERE query_id = 'nobody'")


@pytest.mark.parametrize("query", [ENDLESS, ENDLESS + " FORMAT JSON"])
def test_a_read_ends_when_its_client_leaves(clickhouse, query):
    with closing(clickhouse.connect()) as connection:
        connection.request("POST", "/?query_id=left", query)
        clickhouse.wait_for("left", running=True)

    clickhouse.wait_for("left", running=False)


def test_a_read_ends_when_its_client_leaves_in_the_middle_of_the_result(clickhouse):
    with closing(clickhouse.connect()) as connection:
        connection.request("POST", "/?query_id=half", "SELECT number FROM numbers(10000000000)")
        connection.getresponse().read(1000)

    clickhouse.wait_for("half", running=False)


def test_an_insert_goes_on_when_its_client_leaves_after_sending_it(clickhouse):
    clickhouse.ask("CREATE TABLE goes_on (a UInt64) ENGINE = MergeTree ORDER BY a")
    with closing(clickhouse.connect()) as connection:
        slow = "INSERT INTO goes_on SELECT number + sleepEachRow(0.01) FROM numbers(50)"
        connection.request("POST", "/?query_id=sent", slow)
        clickhouse.wait_for("sent", running=True)

    clickhouse.wait_for("sent", running=False)
    assert ["50"] == clickhouse.rows("SELECT count() FROM goes_on")


def test_a_query_has_the_time_it_was_given(clickhouse):
    answer = clickhouse.ask(ENDLESS, max_execution_time=1)

    assert (408, 159) == (answer.status, answer.code)


def test_other_queries_do_not_wait_for_a_slow_one(clickhouse):
    with running(clickhouse, ENDLESS, "slow"):
        answers = [clickhouse.ask("SELECT 1").text for _ in range(5)]
        still = clickhouse.is_running("slow")
        clickhouse.ask("KILL QUERY WHERE query_id = 'slow'")

    assert (["1\n"] * 5, True) == (answers, still)


def test_the_last_queries_are_remembered_with_their_errors(clickhouse):
    clickhouse.ask("SELECT number FROM numbers(5)", query_id="good")
    clickhouse.ask("SELECT 'x' + 1", query_id="bad")

    log = "SELECT query_id, type, result_rows, exception_code, query_kind FROM system.query_log"
    rows = clickhouse.rows(f"{log} WHERE query_id IN ('good', 'bad') ORDER BY event_time_microseconds")

    assert ["good\tQueryFinish\t5\t0\tSelect", "bad\tExceptionWhileProcessing\t0\t43\tSelect"] == rows
