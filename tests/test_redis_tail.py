"""An append-only file that was torn inside a transaction: whole after the next start, and after all further ones."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
import redis

from embedded.redis_tail import EXEC, MULTI, make_whole, newest, whole_bytes
from tests.fleet_harness import ROOT, free_port, wait_for

PAIR = "redis.call('incr', KEYS[1]); redis.call('xadd', KEYS[2], '*', 'line', ARGV[1]); return 1"
SET = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"


@pytest.mark.parametrize("before", [b"", SET, MULTI + SET + EXEC, MULTI + SET + EXEC + SET])
def test_an_unfinished_transaction_is_cut_off_wherever_it_was_torn(before):
    transaction = MULTI + SET + SET + EXEC
    torn = [before + transaction[:kept] for kept in range(len(MULTI), len(transaction))]

    assert {len(before)} == {whole_bytes(content) for content in torn}
    assert [] == [content for content in (before, before + transaction) if whole_bytes(content) != len(content)]


def test_what_is_torn_outside_of_a_transaction_is_left_to_the_server():
    content = MULTI + SET + EXEC + SET[:-3]

    assert len(content) == whole_bytes(content)


@pytest.fixture
def place(tmp_path):
    """A folder for an embedded Redis, and how to start and kill it there."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    made = Place(tmp_path)
    yield made
    made.kill()


class Place:
    def __init__(self, folder):
        self.folder, self.port, self.process = folder, free_port(), None
        # A kill would take what waits behind a slow fsync along.
        self.environment = {"DATA_DIR": str(folder), "REDIS_PORT": str(self.port), "REDIS_APPENDFSYNC": "always"}
        self.environment["PATH"] = os.environ["PATH"]
        self.client = redis.Redis(port=self.port)

    def start(self):
        command = [sys.executable, "-m", "embedded.redis"]
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        log.close()
        wait_for(self.client.ping, give_up_s=20, what="redis")

    def kill(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def append(self, times):
        for _ in range(times):
            self.client.eval(PAIR, 2, "count", "lines", "x" * 100)

    def counts(self):
        return int(self.client.get("count") or 0), self.client.xlen("lines")


@pytest.mark.redis
@pytest.mark.parametrize("torn_bytes", [5, 60, 210])
def test_a_transaction_that_a_power_cut_tore_runs_neither_with_the_first_nor_with_the_second_start(place, torn_bytes):
    place.start()
    place.append(10)
    place.kill()
    file = newest(place.folder / "redis")
    content = file.read_bytes()
    file.write_bytes(content[: max(len(content) - torn_bytes, content.rfind(MULTI) + len(MULTI))])
    found = []
    for _ in range(2):
        place.start()
        place.append(3)
        found.append(place.counts())
        place.kill()

    assert [(12, 12), (15, 15)] == found
    assert "an unfinished transaction" in (place.folder / "log").read_text()
    assert make_whole(place.folder / "redis") is None
