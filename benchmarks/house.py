"""Private servers and the real programs on free loopback ports, and what they cost."""

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import clickhouse_connect
import redis
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # it tells of every try before the server is up
ROOT = Path(__file__).parent.parent
HERTZ = os.sysconf("SC_CLK_TCK")
USER_AT, SYSTEM_AT = 11, 12  # fields behind the name: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
START_S, STOP_S = 60.0, 20.0


class Broken(Exception):
    """A part of the benchmark could not be measured, and why."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(ask: Callable[[], bool], what: str, *, give_up_s: float = START_S, every_s: float = 0.02) -> None:
    """Ask until the answer is yes; raise Broken with the last words when it never is."""
    deadline_s, last = time.monotonic() + give_up_s, ""
    while time.monotonic() < deadline_s:
        try:
            if ask():
                return
        except (redis.RedisError, ClickHouseError, OSError) as error:
            last = f": {error}"
        time.sleep(every_s)
    raise Broken(f"{what} did not come within {give_up_s:.0f} s{last}")


class House:
    """Redis, ClickHouse and programs, each a process of its own; all end with the house."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tickfleet-bench-"))
        self.redis_port, self.clickhouse_port = free_port(), free_port()
        self.environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
        self.environment |= {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(self.redis_port)}
        self.environment |= {"CLICKHOUSE_HOST": "127.0.0.1", "CLICKHOUSE_PORT": str(self.clickhouse_port)}
        self.environment |= {"DATA_DIR": str(self.folder), "LOG_DIR": str(self.folder), "LOG_LEVEL": "warning"}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(list(self.processes)):
            self.end(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name: str, *words: str, python: str = sys.executable, **settings: str) -> None:
        """Start a Python module, or a program when the first word is a path."""
        command = [python, "-m", *words] if not words[0].startswith("/") else list(words)
        with (self.folder / f"{name}.log").open("ab") as log:
            environment = {**self.environment, **settings}
            self.processes[name] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def end(self, name: str) -> None:
        """Ask a process to end, and wait; kill it when it does not."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def launch_redis(self) -> None:
        """Start Redis as start.sh does, with its log on disk every second; it answers later."""
        binary = shutil.which("redis-server")
        if binary is None:
            raise Broken("redis-server is not installed")
        kept = ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--dir", str(self.folder))
        self.start("redis", binary, "--bind", "127.0.0.1", "--port", str(self.redis_port), *kept)

    def start_redis(self) -> None:
        """Start Redis, and wait until it answers."""
        self.launch_redis()
        wait_for(lambda: bool(self.redis.ping()), "redis")

    def launch_clickhouse(self) -> None:
        """Start the embedded ClickHouse; it answers later."""
        address = ("--host", "127.0.0.1", "--port", str(self.clickhouse_port))
        self.start("clickhouse", "embedded.clickhouse", *address, "--path", str(self.folder / "clickhouse"))

    def start_servers(self) -> None:
        """Start Redis and the embedded ClickHouse, with the schema."""
        self.start_redis()
        self.launch_clickhouse()
        wait_for(lambda: self.sql("SELECT 1", database="default") == [(1,)], "clickhouse")
        command = [sys.executable, "setup_schema.py"]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True, capture_output=True, timeout=START_S)

    @cached_property
    def redis(self) -> Any:  # noqa: ANN401  the driver types replies for both protocols at once
        """Return a client of the house's Redis."""
        return redis.Redis(port=self.redis_port, decode_responses=True)

    def connect(self, database: str = "tickfleet") -> Client:
        """Return a client of the house's ClickHouse."""
        return clickhouse_connect.get_client(
            host="127.0.0.1", port=self.clickhouse_port, database=database, autogenerate_session_id=False
        )

    def sql(self, query: str, database: str = "tickfleet") -> Sequence[tuple[Any, ...]]:
        """Return the rows of an answer."""
        with contextlib.closing(self.connect(database)) as client:
            return list(client.query(query).result_rows)

    def command(self, statement: str) -> None:
        """Run a statement that answers nothing."""
        with contextlib.closing(self.connect()) as client:
            client.command(statement)

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU time that each process has used."""
        return {name: cpu_of(process.pid) for name, process in self.processes.items()}


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process and all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(fields[USER_AT]) + int(fields[SYSTEM_AT])) / HERTZ


def memory_of(pid: int) -> tuple[int, int]:
    """Return (resident, proportional) bytes of a process; pages that processes share count once in the latter."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    held = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    return held["Rss"], held["Pss"]


class Source:
    """The venue's process; its cost is nobody's."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.source"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self.answer()["port"])

    def answer(self) -> dict[str, Any]:
        """Return the next answer."""
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise Broken("the source of trades ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def tell(self, command: str) -> None:
        """Give a command."""
        if self._process.stdin:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """End the process."""
        with self._process:  # closes its pipes and waits
            self._process.terminate()


@contextlib.contextmanager
def source() -> Iterator[Source]:
    """Run a source of trades."""
    made = Source()
    try:
        yield made
    finally:
        made.close()
