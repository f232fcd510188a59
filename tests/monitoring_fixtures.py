"""A busy fleet in a Redis of its own, in the documented layout of keys, for those who test what looks on."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import requests

from common import redis_streams
from common.clock import NS_PER_S, now_ns
from common.codec import encode
from common.lifecycle import wait
from common.records import FeedEvent
from common.redis_streams import Redis, Shard
from common.settings import Settings
from common.streams import BY_TOPIC, FEED_EVENTS, STREAMS

T = TypeVar("T")

ROOT = Path(__file__).parent.parent
BOOK_SHARDS = 4
INGESTERS = {
    "binance_ingester": ("binance", ("trades", "quotes", "books", "tickers", "bars", "feed_events", "dead_letters")),
    "polymarket_ingester": ("polymarket", ("markets", "feed_events")),
    "goldsky_ingester": ("polymarket", ("order_events", "feed_events")),
}
DISABLED = {
    "alpaca_stocks_ingester": "set ALPACA_API_KEY and ALPACA_SECRET_KEY in .env",
    "upstox_ingester": "set UPSTOX_ACCESS_TOKEN in .env",
}
RECORDS_PER_S = {"trades": 40, "quotes": 220, "books": 180, "markets": 3, "order_events": 25}


def free_port() -> int:
    """Return a loopback port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def redis_server(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Redis on a port of loopback, without persistence; it is gone afterwards."""
    binary = shutil.which("redis-server")
    assert binary is not None
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield server
    finally:
        server.terminate()
        server.wait(10)


@dataclass
class BusyFleet:
    """Writes what a fleet writes; every figure it wrote can be asked of it."""

    redis: Redis
    offsets: dict[str, int] = field(default_factory=dict)
    beats: int = 0

    def shard(self, topic: str, number: int = 0) -> Shard:
        """Return a shard of a topic as the fleet lays it out."""
        return Shard(BY_TOPIC[topic], number, BOOK_SHARDS if topic == "books" else 1)

    def shards(self) -> list[Shard]:
        """Return every shard."""
        return [
            self.shard(stream.topic, number)
            for stream in STREAMS
            for number in range(BOOK_SHARDS if stream.topic == "books" else 1)
        ]

    async def start(self) -> None:
        """Lay everything out: programs, groups, cursors, a little history."""
        for shard in self.shards():
            await self.redis.hset("topics", shard.stream.topic, str(shard.shards))
            await self.redis.xgroup_create(shard.key, "clickhouse_writer", id="0", mkstream=True)
        await self.redis.xgroup_create("stream:order_events", "trade_processor", id="0")
        for program, (_, topics) in INGESTERS.items():
            for topic in topics:
                for number in range(BOOK_SHARDS if topic == "books" else 1):
                    await self.redis.hset(self.shard(topic, number).facts, f"{program}.epoch", "1")
        await self.redis.set("fleet:mode", "demo")
        await self.redis.set("fleet:programs", json.dumps(self._programs()))
        await self.redis.mset(
            {
                "state:goldsky_last_timestamp": str(now_ns() // NS_PER_S - 840),
                "state:goldsky_last_id": "0x4f0e9c51ad8e3c1c0d4d2a5c9a11f0b8_0x77aa",
                "state:polymarket_offset": "81200",
                "state:polymarket_cursor": "MTAwMA==",
            }
        )
        await self.redis.sadd("wanted:tokens", "1111", "2222", "3333")
        await self.event("connected", symbol="", detail="3 streams")
        await self.event("gap", symbol="BTCUSDT", expected="1021", found="1040", detail="19 updates missing")
        await self.event("resync", symbol="BTCUSDT", detail="snapshot after 380 ms")
        await self.append("dead_letters", records=2)
        await self.step()

    async def step(self) -> None:
        """Let one second pass: appends, commits, heartbeats; the writer stays a little behind on books."""
        for topic, records in RECORDS_PER_S.items():
            shards = BOOK_SHARDS if topic == "books" else 1
            for number in range(shards):
                await self.append(topic, number, records=records // shards)
        for shard in self.shards():
            behind = 30 if shard.stream.topic == "books" else 0
            await self.commit(shard, "clickhouse_writer", self.offsets.get(shard.key, 0) - behind)
        orders = self.shard("order_events")
        await self.commit(orders, "trade_processor", self.offsets.get(orders.key, 0))
        await self.beat()

    async def append(self, topic: str, number: int = 0, *, records: int, data: bytes = b"{}") -> None:
        """Append one entry of so many records."""
        shard = self.shard(topic, number)
        offset = self.offsets.get(shard.key, 0)
        await self.redis.xadd(shard.key, {"o": offset, "n": records, "data": data})
        self.offsets[shard.key] = offset + records
        await self.redis.hset(shard.facts, "offset", str(offset + records))

    async def commit(self, shard: Shard, group: str, position: int) -> None:
        """Have a group committed up to a position; an entry is committed when all of it is."""
        entries = await self.redis.xrange(shard.key)
        ours = [(entry_id, held) for entry_id, held in entries if held[b"o"].isdigit()]
        done = [entry_id for entry_id, held in ours if int(held[b"o"]) + int(held[b"n"]) <= position]
        facts = {"position": max(position, 0), "last_id": done[-1] if done else "0-0", "epoch": 1}
        facts |= {"owner": group, "beat": self.beats}
        await self.redis.hset(shard.group(group), mapping=facts)

    async def event(self, kind: str, *, symbol: str, expected: str = "", found: str = "", detail: str = "") -> None:
        """Append a feed event of Binance."""
        event = FeedEvent(
            venue="binance", symbol=symbol, received_ns=now_ns(), channel="depth", kind=kind,
            from_ns=now_ns() - NS_PER_S, to_ns=now_ns(), expected=expected, found=found, detail=detail,
        )  # fmt: skip
        await self.append(FEED_EVENTS.topic, records=1, data=encode(event))

    async def beat(self) -> None:
        """Write every process's heartbeat."""
        self.beats += 1
        for program, (venue, topics) in INGESTERS.items():
            rates = {topic: RECORDS_PER_S[topic] for topic in topics if topic in RECORDS_PER_S}
            figures = {f"records_total|{topic}": rate * self.beats for topic, rate in rates.items()}
            frames = sum(rates.values()) * self.beats
            await self.heartbeat(program, "ingester", venue, frames_total=frames, last_frame_ns=now_ns(), **figures)
        made = {"records_total|order_events": 25 * self.beats, "rows_total|trades": 25 * self.beats}
        await self.heartbeat("trade_processor", "processor", "", **made)
        written = {f"records_total|{topic}": rate * self.beats for topic, rate in RECORDS_PER_S.items()}
        stored = {f"rows_total|{topic}": rate * self.beats for topic, rate in RECORDS_PER_S.items()}
        await self.heartbeat("clickhouse_writer", "processor", "", batches_total=5 * self.beats, **written, **stored)

    async def heartbeat(self, name: str, kind: str, venue: str = "", **figures: str | float) -> None:
        """Write one process's heartbeat."""
        facts = {
            "program": name, "kind": kind, "venue": venue, "pid": 4711, "host": "here", "version": "0.1.0",
            "started_ns": now_ns() - 3700 * NS_PER_S, "beat_ns": now_ns(), "state": "running", "detail": "",
            "last_error": "", "last_error_ns": 0, "cpu_s": self.beats * 0.031, "rss_bytes": 61 * 2**20,
        }  # fmt: skip
        await self.redis.hset(f"proc:{name}", mapping={**facts, **figures})
        await self.redis.expire(f"proc:{name}", 15)

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until told to stop."""
        while not stop.is_set():
            await self.step()
            await wait(stop, 1.0)

    def _programs(self) -> list[dict[str, object]]:
        running = [(program, "ingester", venue) for program, (venue, _) in INGESTERS.items()]
        running += [("trade_processor", "processor", ""), ("clickhouse_writer", "processor", "")]
        off = [
            {"program": program, "kind": "ingester", "venue": program.split("_")[0], "enabled": False, "why": why}
            for program, why in DISABLED.items()
        ]
        return [
            *(
                {"program": name, "kind": kind, "venue": venue, "enabled": True, "why": ""}
                for name, kind, venue in running
            ),
            *off,
        ]


class Stage:
    """A busy fleet on a thread of its own; a test may stop it, change what it likes and let it go on."""

    def __init__(self, redis_port: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._going: Future[None] | None = None
        self._stop = asyncio.Event()
        self.redis = redis_streams.connect(settings_for(redis_port))
        self.fleet = BusyFleet(self.redis)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something where the fleet lives, and return what it gives."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def go(self) -> None:
        """Let a second pass every second."""
        self._stop.clear()
        self._going = asyncio.run_coroutine_threadsafe(self.fleet.run(self._stop), self._loop)

    def halt(self) -> None:
        """Stop the fleet's time; its heartbeats grow old."""
        if self._going is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._going.result(20)
            self._going = None

    def close(self) -> None:
        """End it all."""
        try:
            self.halt()
        finally:
            self.call(self.redis.aclose())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


@contextmanager
def busy_stage(folder: Path) -> Iterator[tuple[Stage, int]]:
    """Run a Redis with a busy fleet in it; yield the fleet and the server's port."""
    port = free_port()
    with redis_server(folder, port):
        stage = Stage(port)
        try:
            stage.call(redis_streams.wait_ready(stage.redis))
            stage.call(stage.fleet.start())
            stage.go()
            yield stage, port
        finally:
            stage.close()


@contextmanager
def dashboard(folder: Path, redis_port: int, **environment: str) -> Iterator[str]:
    """Run the dashboard as Supervisor would; yield its address once it has read Redis or failed to."""
    settings = {
        "REDIS_PORT": str(redis_port),
        "CLICKHOUSE_PORT": "1",
        "DASHBOARD_PORT": str(free_port()),
        **environment,
    }
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings}
    log = (folder / "dashboard.log").open("wb")
    program = subprocess.Popen(
        [sys.executable, "-m", "monitoring"], cwd=folder, env=environ, stdout=log, stderr=subprocess.STDOUT
    )
    url = f"http://127.0.0.1:{settings['DASHBOARD_PORT']}"
    try:
        until(lambda: _answers(url, program), "the dashboard answers", patience_s=60)
        if "DASHBOARD_PASSWORD" not in environment:
            until(
                lambda: requests.get(f"{url}/api/v1/overview", timeout=5).json()["number"] > 0, "it has read Redis", 60
            )
        yield url
    finally:
        program.terminate()
        assert program.wait(10) == 0, (folder / "dashboard.log").read_text()
        log.close()


def _answers(url: str, program: subprocess.Popen[bytes]) -> bool:
    assert program.poll() is None, "the dashboard ended before it answered"
    try:
        return requests.get(f"{url}/healthz", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def until(is_so: Callable[[], bool], what: str, patience_s: float = 15.0) -> None:
    """Return once something that another process does has happened."""
    deadline_s = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline_s, f"waited {patience_s} s in vain until {what}"
        time.sleep(0.05)


def settings_for(redis_port: int, **others: object) -> Settings:
    """Return settings that look at a Redis of the test's own, and at a ClickHouse that is not there."""
    values = {"redis_port": redis_port, "clickhouse_port": 1, **others}
    return Settings.model_validate(values)
