"""Sessions: what one request sets, the next one finds; and who may come in at all."""

import hashlib
import json

import pytest

from tests.embedded_fixtures import EmbeddedClickHouse, clickhouse

__all__ = ["clickhouse"]

pytestmark = pytest.mark.clickhouse

READER = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": "look"}
OWNER = {"user": "default", "password": "secret"}


def test_a_session_keeps_its_temporary_tables_to_itself(clickhouse):
    clickhouse.ask("CREATE TEMPORARY TABLE mine (a Int32)", session_id="a")
    clickhouse.ask("INSERT INTO mine VALUES (1)", session_id="a")

    assert ["1"] == clickhouse.rows("SELECT * FROM mine", session_id="a")
    assert [60, 60] == [
        clickhouse.ask("SELECT * FROM mine", session_id="b").code,
        clickhouse.ask("SELECT * FROM mine").code,
    ]


def test_a_temporary_table_without_a_session_ends_with_its_request(clickhouse):
    clickhouse.ask("CREATE TEMPORARY TABLE brief (a Int32)")

    assert {60} == {clickhouse.ask("SELECT * FROM brief").code for _ in range(10)}


def test_a_session_keeps_what_it_set_below_what_a_request_asks(clickhouse):
    question = "SELECT getSetting('max_block_size')"
    clickhouse.ask("SET max_block_size = 11, log_comment = 'x'", session_id="set")

    inside = clickhouse.rows(question, session_id="set")
    once = clickhouse.rows(question, session_id="set", max_block_size=12)
    again = clickhouse.rows(question, session_id="set")

    assert (["11"], ["12"], ["11"], ["65409"]) == (inside, once, again, clickhouse.rows(question))


def test_a_session_keeps_the_database_it_uses(clickhouse):
    question = "SELECT currentDatabase()"
    clickhouse.ask("USE system", session_id="use")

    found = [clickhouse.rows(question, session_id="use", database=name) for name in ("", "default", "")]

    assert [["system"], ["default"], ["system"]] == found
    assert ["default"] == clickhouse.rows(question)


def test_a_session_that_must_exist_is_not_begun(clickhouse):
    assert 372 == clickhouse.ask("SELECT 1", session_id="never", session_check=1).code


def test_a_session_ends_when_it_is_left_alone_too_long(clickhouse):
    clickhouse.ask("SELECT 1", session_id="short", session_timeout=0)

    assert 372 == clickhouse.ask("SELECT 1", session_id="short", session_check=1).code


@pytest.mark.parametrize("timeout", ["soon", "-1", "3601"])
def test_a_session_timeout_that_makes_no_sense_is_refused(clickhouse, timeout):
    assert 374 == clickhouse.ask("SELECT 1", session_id="odd", session_timeout=timeout).code


def test_a_session_serves_one_request_at_a_time(clickhouse):
    connection = clickhouse.connect()
    connection.request("POST", "/?session_id=busy&query_id=first", "SELECT sleep(1)")
    clickhouse.wait_for("first", running=True)
    second = clickhouse.ask("SELECT 1", session_id="busy")
    first = connection.getresponse().read()
    connection.close()

    assert (373, b"0\n", ["1"]) == (second.code, first, clickhouse.rows("SELECT 1", session_id="busy"))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    digest = hashlib.sha256(b"look").hexdigest()
    users = {
        "default": {"password": "secret"},
        "looker": {"password": "glance", "readonly": 2},
        "reader": {"password_sha256_hex": digest, "readonly": True},
    }
    (folder / "users.json").write_text(json.dumps(users))
    server = EmbeddedClickHouse(folder / "data", "--users", str(folder / "users.json"))
    server.ask("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a", **OWNER)
    server.ask("INSERT INTO t VALUES (1)", **OWNER)
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("headers", "params", "status"),
    [
        ({}, {}, 403),
        ({}, OWNER, 200),
        ({}, {"user": "default", "password": "guess"}, 403),
        ({}, {"user": "nobody", "password": ""}, 403),
        (READER, {}, 200),
        ({**READER, "X-ClickHouse-Key": "guess"}, {}, 403),
        ({"Authorization": "Basic ZGVmYXVsdDpzZWNyZXQ="}, {}, 200),
        ({"Authorization": "Basic no base64"}, {}, 403),
        ({"Authorization": "Bearer token"}, {}, 403),
    ],
)
def test_only_who_knows_a_password_comes_in(guarded, headers, params, status):
    answer = guarded.ask("SELECT 1", headers, **params)

    assert (status, 516 if status == 403 else 0) == (answer.status, answer.code)


def test_a_wrong_password_is_not_told_from_a_wrong_name(guarded):
    texts = [guarded.ask("SELECT 1", user=name, password="x").text.replace(name, "") for name in ("default", "nobody")]

    assert texts[0] == texts[1]


@pytest.mark.parametrize("query", ["SELECT a FROM t", "SHOW TABLES", "SELECT count() FROM system.processes"])
def test_a_read_only_user_reads(guarded, query):
    assert "1" in guarded.ask(query, READER, database="default").text.replace("t\n", "1")


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO t VALUES (2)",
        "INSERT INTO t FORMAT CSV\n2\n",
        "INSERT INTO t SELECT 2",
        "DROP TABLE t",
        "CREATE TEMPORARY TABLE x (a Int32)",
        "SET max_threads = 1",
        "SELECT 1 SETTINGS max_threads = 1",
        "KILL QUERY WHERE 1",
        "SYSTEM FLUSH LOGS",
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "SELECT file('/etc/hostname')",
        "DESCRIBE file('/etc/hostname')",
    ],
)
def test_a_read_only_user_changes_nothing_and_reads_no_file(guarded, query):
    assert 164 == guarded.ask(query, READER).code
    assert 164 == guarded.ask("SELECT 1", READER, max_threads=1).code


@pytest.mark.parametrize("user", [OWNER, {"user": "looker", "password": "glance"}], ids=["0", "2"])
class TestAQuestionThatNarrowsItself:
    """`readonly=1` with limits in one request, by a user who may do more."""

    def test_it_reads_within_its_limits(self, guarded, user):
        narrowed = {**user, "readonly": 1, "max_threads": 1, "limit": 2}

        assert ["0", "1"] == guarded.rows("SELECT number FROM numbers(9)", **narrowed)
        assert ["1\t1"] == guarded.rows("SELECT getSetting('readonly'), getSetting('max_threads')", **narrowed)

    @pytest.mark.parametrize(
        "query",
        [
            "INSERT INTO default.t VALUES (2)",
            "DROP TABLE default.t",
            "SET max_threads = 9",
            "SELECT 1 SETTINGS max_threads = 9",
            "CREATE TEMPORARY TABLE x (a Int32)",
            "SELECT * FROM file('/etc/hostname', 'LineAsString')",
            "SELECT * FROM view(SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a Int8'))",
            "EXPLAIN SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a Int8')",
            "SELECT file('/etc/hostname')",
            r"SELECT `\x66ile`('/etc/hostname')",
            "SELECT \"file\"('/etc/hostname')",
            "SELECT arrayMap(file, ['/etc/hostname'])",
            "EXPLAIN QUERY TREE SELECT file('/etc/hostname')",
            "SELECT * FROM Python(engine)",
            "DESCRIBE file('/etc/hostname')",
            "DESC TABLE url('http://127.0.0.1:1/')",
            "DESCRIBE file('/etc/hostname') --" + "x" * 300_000,
        ],
        ids=lambda query: query[:60],
    )
    def test_it_changes_nothing_and_reaches_nothing_outside(self, guarded, user, query):
        assert 164 == guarded.ask(query, readonly=1, max_threads=1, max_query_size=10**6, **user).code

    def test_the_next_one_is_as_free_as_its_user(self, guarded, user):
        guarded.ask("SELECT 1", readonly=1, max_threads=1, no_such_setting=1, **user)

        assert [["3"]] * 9 == [
            guarded.rows("SELECT getSetting('max_threads') SETTINGS max_threads = 3", **user) for _ in range(9)
        ]


def test_the_table_functions_that_readonly_lets_through_reach_nothing_outside(clickhouse):
    found = set(clickhouse.rows("SELECT name FROM system.table_functions WHERE allow_readonly"))

    # `eval` wants a setting that nobody may change at readonly 1, `cluster` a cluster, of which there is none.
    assert found <= {
        *("SQLStandardValues", "values", "numbers", "numbers_mt", "primes", "generateSeries", "generate_series"),
        *("generateRandom", "null", "input", "view", "viewIfPermitted", "merge", "fuzzQuery", "fuzzJSON", "eval"),
        *("cluster", "clusterAllReplicas", "mergeTreeIndex", "mergeTreeProjection", "mergeTreeTextIndex"),
        *("mergeTreeCodecBlockCounts", "mergeTreeAnalyzeIndexes", "mergeTreeAnalyzeIndexesUUID"),
    }
