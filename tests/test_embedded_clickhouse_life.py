"""The program's life: it starts once, keeps what it acknowledged through a crash, and stops when it is told."""

import subprocess
import sys
import threading
from http.client import HTTPException

import pytest

from tests.embedded_fixtures import _ROOT, EmbeddedClickHouse
from tests.test_embedded_clickhouse_inserts import chunked

pytestmark = pytest.mark.clickhouse

TABLE = "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 1000"


@pytest.fixture
def server(tmp_path):
    made = EmbeddedClickHouse(tmp_path / "data")
    yield made
    made.kill()


def refused(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "embedded.clickhouse", *arguments]
    ended = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=30, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def test_a_taken_port_is_told_in_one_line(server, tmp_path):
    code, text = refused("--port", str(server.port), "--path", str(tmp_path / "other"))

    assert (2, f"clickhouse: cannot listen on 127.0.0.1:{server.port}: Address already in use\n") == (code, text)


def test_a_directory_in_use_is_told_in_one_line(server):
    code, text = refused("--port", "0", "--path", str(server.path))

    told = f"clickhouse: cannot open {server.path}: another engine holds it (process {server.process.pid})\n"
    assert (2, told) == (code, text)


def test_a_users_file_that_cannot_be_understood_is_told_in_one_line(tmp_path):
    users = tmp_path / "users.json"
    users.write_text('{"default": {"passwort": "x"}}')

    code, text = refused("--port", "0", "--path", str(tmp_path / "data"), "--users", str(users))

    assert (2, 1) == (code, text.count("\n"))
    assert f"cannot use {users}: user default: expected password" in text


def test_a_crash_loses_no_acknowledged_insert(server):
    server.ask(TABLE)
    acknowledged = []

    def insert() -> None:
        for batch in range(10_000):
            rows = "".join(f"{batch * 100 + row}\n" for row in range(100))
            try:
                answer = server.ask(f"INSERT INTO t FORMAT CSV\n{rows}", insert_deduplication_token=f"b{batch}")
            except (OSError, HTTPException):
                return
            if answer.status == 200:
                acknowledged.append(batch)
            enough.set() if batch > 30 else None

    enough = threading.Event()
    writer = threading.Thread(target=insert)
    writer.start()
    assert enough.wait(30)
    server.kill()
    writer.join()

    restarted = EmbeddedClickHouse(server.path)
    try:
        found = restarted.rows("SELECT intDiv(a, 100) AS batch FROM t GROUP BY batch HAVING count() = 100")
        missing = set(acknowledged) - {int(batch) for batch in found}
    finally:
        restarted.stop()
    assert set() == missing


def test_a_stop_finishes_the_inserts_that_run(server):
    server.ask(TABLE)
    answers = []
    slow = "INSERT INTO t SELECT number + sleepEachRow(0.01) FROM numbers(100)"
    writer = threading.Thread(target=lambda: answers.append(server.ask(slow, query_id="slow")))
    writer.start()
    server.wait_for("slow", running=True)

    code = server.stop()

    writer.join()
    restarted = EmbeddedClickHouse(server.path)
    try:
        assert (0, 200, ["100"]) == (code, answers[0].status, restarted.rows("SELECT count() FROM t"))
    finally:
        restarted.stop()


def test_it_stops_at_once_when_nothing_runs_and_connections_are_idle(server):
    connection = server.connect()
    connection.request("GET", "/ping")
    connection.getresponse().read()

    code = server.stop()

    connection.close()
    assert 0 == code


def test_garbage_on_the_wire_takes_nothing_down(server):
    for data in (b"\x00" * 100, b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        with chunked(server.port, "junk", b"SELECT 1") as connection:
            connection.sendall(data)
            connection.recv(100)

    assert ["1"] == server.rows("SELECT 1")
