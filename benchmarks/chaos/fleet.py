"""A private fleet that is looked after as Supervisor would: what falls is started again."""

import asyncio
import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import requests

from benchmarks.chaos.proxy import Proxy
from benchmarks.house import House, wait_for

LOOK_EVERY_S = 0.1
RESTART_S = 0.5
STAYS_DOWN = (0, 2)  # told to stop, refused: as Supervisor has it
SERVERS = ("redis", "clickhouse")
EXEC = b"*1\r\n$4\r\nEXEC\r\n"  # the end of a transaction in Redis' append file
INGESTERS = (
    "binance_ingester",
    "okx_ingester",
    "polymarket_clob_ingester",
    "alpaca_stocks_ingester",
    "alpaca_crypto_ingester",
    "upstox_ingester",
    "goldsky_ingester",
    "polygon_ingester",
    "polymarket_ingester",
)
FEW_INGESTERS = ("binance_ingester", "goldsky_ingester", "polygon_ingester")
WRITERS = ("clickhouse_writer_00", "clickhouse_writer_01")
PROCESSORS = ("trade_processor", *WRITERS)


class Fleet:
    """Servers behind proxies, the simulator, and the programs between them."""

    def __init__(self, without: str = "", *, is_small: bool = False) -> None:
        self.house = House()
        self.ingesters = FEW_INGESTERS if is_small else INGESTERS
        self.outages: list[tuple[int, int]] = []  # (from, to) of Redis, before a kill of who listened meanwhile
        self._without = without  # a part that the programs run without, to show that it is missed
        self.house.environment |= {"GOLDSKY_POLL_S": "0.5", "POLYMARKET_POLL_S": "5", "BINANCE_MUTE_S": "86400"}
        self.house.environment |= {"POLYGON_POLL_S": "0.5"}
        self.redis_proxy = Proxy(self.house.redis_port)
        self.clickhouse_proxy = Proxy(self.house.clickhouse_port)
        self.ends: Counter[str] = Counter()
        self.refusals: list[str] = []
        self._commands: dict[str, tuple[str, ...]] = {}
        self._down_since_s: dict[str, float] = {}
        self._stopped: set[str] = set()

    @property
    def programs(self) -> list[str]:
        """Return the programs that should run."""
        return [name for name in self._commands if name not in self._stopped]

    async def start(self) -> None:
        """Start everything, in the order in which it stands on each other."""
        await asyncio.to_thread(self.house.start_servers)
        await self.redis_proxy.start()
        await self.clickhouse_proxy.start()
        self._start_simulator()
        ours = {"REDIS_PORT": str(self.redis_proxy.port), "CLICKHOUSE_PORT": str(self.clickhouse_proxy.port)}
        self.house.environment |= ours
        for name in (*PROCESSORS, *self.ingesters):
            self.launch(name)
        await asyncio.to_thread(wait_for, self._records, "the first trades")

    def _records(self) -> bool:
        return bool(self.house.sql("SELECT count() FROM trades WHERE venue = 'binance'")[0][0])

    def launch(self, process: str) -> None:
        """Start a process of a program, e.g. `clickhouse_writer_01`."""
        program = process.rstrip("0123456789").rstrip("_")
        package = "ingesters" if program.endswith("_ingester") else "processors"
        words = (package, program) if program == process else (package, program, process)
        if self._without:
            words = ("benchmarks.chaos.without", self._without, *words)
        self._commands[process] = words
        self._stopped.discard(process)
        self.house.start(process, *words)

    async def mind(self) -> None:
        """Start again what has fallen, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for name, process in list(self.house.processes.items()):
                code = process.poll()
                if code is None or name in self._stopped or name == "simulator":
                    self._down_since_s.pop(name, None)
                elif code in STAYS_DOWN and name not in SERVERS and name not in self._down_since_s:
                    self.refusals.append(f"{name} ended with {code}")
                    self._down_since_s[name] = time.monotonic()
                elif time.monotonic() - self._down_since_s.setdefault(name, time.monotonic()) > RESTART_S:
                    self._restart(name)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process, if it lives."""
        process = self.house.processes[name]
        if process.poll() is None:
            process.send_signal(number)

    def append_file(self) -> Path:
        """Return the file that Redis appends to."""
        return max((self.house.folder / "appendonlydir").glob("*.incr.aof"), key=lambda each: each.stat().st_mtime)

    def kill_and_cut_redis(self, file: Path, size_bytes: int) -> int:
        """Kill Redis and leave of its append file whole transactions up to a size; return how many bytes are lost."""
        process = self.house.processes["redis"]
        process.kill()
        process.wait()
        content = file.read_bytes() if file.exists() else b""  # it may have been rewritten meanwhile
        kept = content.rfind(EXEC, 0, size_bytes)
        if kept < 0:
            return 0
        os.truncate(file, kept + len(EXEC))
        return len(content) - kept - len(EXEC)

    async def retire(self, name: str) -> int | None:
        """Tell a process to stop, for good; return its exit code, None when it had to be killed."""
        self._stopped.add(name)
        process = self.house.processes[name]
        self.send(name, signal.SIGCONT)
        self.send(name, signal.SIGTERM)
        try:
            return await asyncio.to_thread(process.wait, 40)
        except subprocess.TimeoutExpired:
            process.kill()
            return None

    def order(self, **fault: Any) -> None:  # noqa: ANN401  whatever the simulator's faults have
        """Have the simulator carry out a fault."""
        url = f"{self.house.environment['SIMULATOR_URL']}/_control"
        requests.post(url, json=fault, timeout=10).raise_for_status()

    def calm(self) -> None:
        """End every fault that lasts."""
        self.redis_proxy.flow()
        self.clickhouse_proxy.flow()
        requests.delete(f"{self.house.environment['SIMULATOR_URL']}/_control", timeout=10).raise_for_status()
        for name in self.house.processes:
            self.send(name, signal.SIGCONT)

    def ledger(self) -> dict[str, Any]:
        """Return what the simulator has published."""
        url = f"{self.house.environment['SIMULATOR_URL']}/_ledger?ids=1"
        told: dict[str, Any] = requests.get(url, timeout=60).json()
        return told

    def keep_logs(self) -> str:
        """Return the folder to which all logs are copied, so that they outlive the house."""
        folder = tempfile.mkdtemp(prefix="tickfleet-chaos-logs-")
        for file in self.house.folder.glob("*.log"):
            shutil.copy(file, folder)
        return folder

    async def stop(self) -> None:
        """End everything."""
        for name in self.house.processes:
            self.send(name, signal.SIGCONT)
            if name not in SERVERS:
                self.send(name, signal.SIGTERM)
        await self.redis_proxy.stop()
        await self.clickhouse_proxy.stop()
        await asyncio.to_thread(self.house.__exit__)

    def starve(self, name: str, spare_bytes: int) -> bool:
        """Let a process have only a little more memory than it has; return whether it lives."""
        process = self.house.processes[name]
        try:
            held = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[0])
            limit = held * resource.getpagesize() + spare_bytes
            resource.prlimit(process.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
        except (OSError, IndexError):
            return False
        return True

    def feed(self, name: str) -> None:
        """Let a process have all the memory that it wants."""
        with contextlib.suppress(OSError):
            free = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(self.house.processes[name].pid, resource.RLIMIT_AS, free)

    def _restart(self, name: str) -> None:
        self.ends[name] += 1
        self._down_since_s.pop(name, None)
        if name == "redis":
            self.house.launch_redis()
        elif name == "clickhouse":
            self.house.launch_clickhouse()
        else:
            self.house.start(name, *self._commands[name])

    def _start_simulator(self) -> None:
        file = self.house.folder / "simulator.json"
        self.house.start("simulator", "simulator", "--demo", "--addresses", str(file))
        wait_for(file.exists, "the simulator")
        self.house.environment |= json.loads(file.read_text())
