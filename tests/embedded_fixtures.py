"""An embedded ClickHouse of its own for a test: started on a free port, asked over plain HTTP, ended by its pid."""

import os
import re
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest

_ROOT = Path(__file__).resolve().parent.parent
_READY = re.compile(r"ready on http://127\.0\.0\.1:(\d+)")


class Answer(NamedTuple):
    """A reply with its headers in lower case."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def text(self):
        return self.body.decode()

    @property
    def code(self):
        return int(self.headers.get("x-clickhouse-exception-code", "0"))


class EmbeddedClickHouse:
    """One running program; `ask` sends one request on a connection of its own."""

    def __init__(self, path: Path, *arguments: str) -> None:
        self.path = path
        command = [sys.executable, "-m", "embedded.clickhouse", "--port", "0", "--path", str(path), *arguments]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        line = self.process.stdout.readline()
        ready = _READY.search(line)
        assert ready, line
        self.port = int(ready[1])

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(
        self, body: bytes | str = b"", headers: dict[str, str] | None = None, method: str = "POST", **params
    ) -> Answer:
        connection = self.connect()
        try:
            data = body.encode() if isinstance(body, str) else body
            connection.request(method, "/?" + urlencode(params), data, headers or {})
            return answer_of(connection.getresponse())
        finally:
            connection.close()

    def rows(self, query: str, **params) -> list[str]:
        """Return the lines of a result; fail on an error."""
        answer = self.ask(query, **params)
        assert answer.status == 200, answer.text
        return answer.text.splitlines()

    def is_running(self, query_id: str) -> bool:
        return self.rows(f"SELECT count() FROM system.processes WHERE query_id = '{query_id}'") != ["0"]

    def wait_for(self, query_id: str, *, running: bool) -> None:
        """Return as soon as the query is, or is no longer, in the list."""
        until_s = time.monotonic() + 20
        while self.is_running(query_id) is not running:
            assert time.monotonic() < until_s, f"{query_id}: still running={not running} after 20 s"

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it as a supervisor does; return its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.communicate(timeout=40)
        return self.process.returncode


def answer_of(response: HTTPResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, response.read(), headers)


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory):
    """An engine for all tests of a module."""
    server = EmbeddedClickHouse(tmp_path_factory.mktemp("clickhouse") / "data")
    yield server
    server.stop()
