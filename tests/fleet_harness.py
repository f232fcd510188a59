"""A private fleet for tests: real servers and real programs on free loopback ports, killed at will."""

import contextlib
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import clickhouse_connect
import redis
import requests

from common.settings import Settings
from setup_schema import set_up

ROOT = Path(__file__).parent.parent
CAPTURES = ROOT.parent / "shared" / "captures"
PYTHON = sys.executable


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(ask, *, expected=True, give_up_s=60.0, what=""):
    """Ask again until the answer is the expected one; the last answer is in the failure."""
    deadline = time.monotonic() + give_up_s
    while True:
        try:
            found = ask()
        except Exception as error:  # noqa: BLE001  whatever it is, it is in the failure
            found = error
        if found == expected:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: expected {expected!r}, found {found!r} after {give_up_s} s")
        time.sleep(0.05)


def backfill(fleet, *words):
    """Ask for a past by hand, and wait; return the rows that the command prints."""
    command = [PYTHON, "-m", "monitoring.cli", "backfill", *words, "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env=fleet.environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def beginning_of(name, folder, *, events):
    """Write the first events of a recording to a folder; return the file, and what it holds."""
    header, *lines = gzip.decompress((CAPTURES / name).read_bytes()).splitlines(keepends=True)
    file = Path(folder) / name
    shorter = json.dumps(json.loads(header) | {"frames": events}).encode() + b"\n"
    file.write_bytes(gzip.compress(b"".join((shorter, *lines[:events])), compresslevel=1))
    return file, [json.loads(line) for line in lines[:events]]


class Fleet:
    """Programs by name; each can be killed, stopped and started again."""

    def __init__(self, folder, **settings):
        self.folder = Path(folder)
        self.redis_port, self.clickhouse_port = free_port(), free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self.redis_port),
            "CLICKHOUSE_HOST": "127.0.0.1",
            "CLICKHOUSE_PORT": str(self.clickhouse_port),
            "DATA_DIR": str(self.folder),
            "PYTHONUNBUFFERED": "1",
            "BINANCE_MUTE_S": "86400",
            **settings,
        }
        self.processes = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Kill everything: what is left is of no use to anybody."""
        for process, _ in self.processes.values():
            process.kill()
        for process, _ in self.processes.values():
            process.wait()

    def start(self, name, *command):
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = (
            subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log),
            command,
        )
        log.close()

    def start_redis(self):
        folder = self.folder / "redis"
        folder.mkdir(exist_ok=True)
        binary = shutil.which("redis-server")
        options = ("--port", str(self.redis_port), "--dir", str(folder), "--appendonly", "yes", "--save", "")
        self.start("redis", binary, "--bind", "127.0.0.1", *options)
        wait_for(self.redis.ping, what="redis")

    def start_clickhouse(self, *options):
        path = str(self.folder / "clickhouse")
        address = ("--host", "127.0.0.1", "--port", str(self.clickhouse_port))
        self.start("clickhouse", PYTHON, "-m", "embedded.clickhouse", *address, "--path", path, *options)
        url = f"http://127.0.0.1:{self.clickhouse_port}/ping"
        wait_for(lambda: requests.get(url, timeout=5).content, expected=b"Ok.\n", what="clickhouse")

    def start_servers(self):
        self.start_redis()
        self.start_clickhouse()
        self.set_up_schema()

    def set_up_schema(self):
        with ThreadPoolExecutor(1) as apart:  # a browser keeps a loop running in this thread
            apart.submit(set_up, Settings.from_env(self.environment)).result()

    def start_simulator(self, *arguments):
        addresses = self.folder / "simulator.json"
        addresses.unlink(missing_ok=True)
        self.start("simulator", PYTHON, "-m", "simulator", *arguments, "--addresses", str(addresses))
        wait_for(addresses.exists, what="simulator")
        self.environment |= json.loads(addresses.read_text())

    def replay(self, *names):
        self.start_simulator("--replay", *(str(CAPTURES / name) for name in names), "--speed", "max")

    def start_program(self, program):
        package = "ingesters" if program.endswith("_ingester") else "processors"
        self.start(program, PYTHON, "-m", package, program)

    def start_fleet(self, *processors):
        """Start the writer, the other processors that are named, and every ingester that the simulator feeds."""
        for program in ("clickhouse_writer", *processors):
            self.start_program(program)
        coins = ("BINANCE", "OKX", "ALPACA_CRYPTO")
        for venue in (*coins, "ALPACA_STOCKS", "UPSTOX", "GOLDSKY", "POLYGON", "POLYMARKET", "POLYMARKET_CLOB"):
            if self.environment.get(f"{venue}_ENABLED") == "true":
                self.start_program(f"{venue.lower()}_ingester")

    def pid(self, name):
        return self.processes[name][0].pid

    def kill(self, name):
        """SIGKILL, and wait until it is gone."""
        process, _ = self.processes[name]
        process.kill()
        process.wait()

    def restart(self, name):
        """Start again what was killed or has ended."""
        self.start(name, *self.processes[name][1])

    def end(self, name, give_up_s=30):
        """SIGTERM, and wait; returns the exit code."""
        process, _ = self.processes[name]
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(give_up_s)
            process.kill()
        return process.wait()

    @property
    def redis(self):
        return redis.Redis(port=self.redis_port, decode_responses=True)

    @contextlib.contextmanager
    def clickhouse(self):
        address = {"host": "127.0.0.1", "port": self.clickhouse_port, "database": "tickfleet"}
        client = clickhouse_connect.get_client(**address, autogenerate_session_id=False)
        try:
            yield client
        finally:
            client.close()

    def sql(self, query):
        with self.clickhouse() as client:
            return client.query(query).result_rows

    def command(self, statement):
        with self.clickhouse() as client:
            client.command(statement)

    def signal(self, name, number):
        self.processes[name][0].send_signal(number)

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()
