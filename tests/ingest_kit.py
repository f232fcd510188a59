"""What the ingester's tests share: an ingester in this process, venues that follow a script, a proxy that cuts."""

import asyncio
import shutil
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest
from websockets.asyncio.server import serve

from common.codec import decode_lines
from common.heartbeat import Figures
from common.records import Trade
from common.redis_streams import connect
from common.settings import Settings
from common.streams import BY_TOPIC, DEAD_LETTERS, FEED_EVENTS, ORDER_EVENTS, TRADES
from ingesters.__main__ import prepare, spool_of
from ingesters.feed import Dial, Fetch
from ingesters.loop import ingest
from ingesters.registry import of_program
from ingesters.venue import Budget, Venue
from tests.fleet_harness import Fleet

PLENTY = Budget(weight=100_000, window_s=60)


@pytest.fixture(scope="module")
def redis_of_module(tmp_path_factory):
    """A private Redis for all tests of a module."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path_factory.mktemp("redis")) as made:
        made.start_redis()
        yield made


async def until(ask, expected=True, *, give_up_s=20.0, what=""):  # noqa: FBT002  (an answer, no switch)
    """Ask again until the answer is the expected one; the last answer is in the failure."""
    deadline_s = asyncio.get_running_loop().time() + give_up_s
    while (found := ask()) != expected:
        assert asyncio.get_running_loop().time() < deadline_s, f"{what}: expected {expected!r}, found {found!r}"
        await asyncio.sleep(0.01)
    return found


def settings_of(fleet, environment=None):
    known = {
        name.lower(): value for name, value in (environment or {}).items() if name.lower() in Settings.model_fields
    }
    return Settings(redis_host="127.0.0.1", redis_port=fleet.redis_port, data_dir=fleet.folder / "data", **known)


def records(fleet, topic):
    """Return all records of a topic, shard by shard in the order of the stream."""
    redis = fleet.redis
    keys = sorted(redis.keys(f"stream:{topic}") + redis.keys(f"stream:{{{topic}:*"))
    found = []
    for key in keys:
        for _, entry in redis.xrange(key):
            found += decode_lines(entry["data"].encode(), BY_TOPIC[topic].record)
    return found


def events(fleet, *kinds):
    return [event for event in records(fleet, "feed_events") if event.kind in kinds]


class Plain:
    """The simplest venue: each message is the number of a trade; it may ask a question as well."""

    venue = "plain"

    def __init__(self, url, question=None):
        self._url = url
        self._question = question

    def opening(self):
        if self._question:
            yield Fetch("question", self._question)
        yield Dial(self._url)

    def receive(self, frame):
        number = msgspec.json.decode(frame.payload, type=int)
        yield Trade(
            venue=self.venue,
            symbol="ANY",
            received_ns=frame.received_ns,
            trade_id=str(number),
            event_ns=frame.received_ns,
            price="1",
            size="1",
            taker_side="buy",
            sequence=number,
        )


def plain(url, question=None, **changes):
    venue = Venue(
        program="plain_ingester",
        name="plain",
        feed=lambda _settings, _resume: Plain(url, question),
        why_disabled=lambda _settings: None,
        topics=(TRADES, ORDER_EVENTS, FEED_EVENTS, DEAD_LETTERS),
        budget=PLENTY,
    )
    return replace(venue, **changes)


class Running:
    """An ingester in this process; `ended` is the task of its loop."""

    def __init__(self, work, ended, carrying, stop):
        self.work, self.ended, self.carrying, self._stop = work, ended, carrying, stop

    @property
    def figures(self):
        return self.work.figures.counters

    async def stop(self):
        """Stop as told by SIGTERM; everything is in Redis then."""
        self._stop.set()
        await asyncio.wait_for(self.ended, 20)


@asynccontextmanager
async def running(fleet, venue, environment=None):
    """Run the real loop, sink and wires on a private Redis."""
    venue = of_program(venue) if isinstance(venue, str) else venue
    settings = settings_of(fleet, environment)
    redis = connect(settings)
    spool = spool_of(venue, settings, Figures(venue.program, venue.program, "ingester", venue.name))
    work = await prepare(venue, settings, redis, spool)
    stop = asyncio.Event()
    carrying = asyncio.create_task(work.sink.run())
    one = Running(work, asyncio.create_task(ingest(work, stop)), carrying, stop)
    try:
        yield one
        if not one.ended.done():
            await one.stop()
    finally:
        for task in (one.ended, carrying):
            task.cancel()
        await asyncio.gather(one.ended, carrying, return_exceptions=True)
        await spool.close()
        await redis.aclose()


@asynccontextmanager
async def venue_socket(talk, **more):
    """A WebSocket that says what `talk(socket)` says; yields its address."""
    more = {"ping_interval": None, "compression": None, "close_timeout": 0.2} | more
    async with serve(talk, "127.0.0.1", 0, **more) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@asynccontextmanager
async def listener(talk, port=0):
    """A TCP server that does with each connection what `talk(reader, writer)` says; yields its port."""
    tasks, writers = set(), set()

    async def handle(reader, writer):
        tasks.add(asyncio.current_task())
        writers.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


class WebVenue:
    """An HTTP server that answers from a script of raw bytes, the last one again and again; keeps when it was asked."""

    def __init__(self, *script):
        self._script = list(script)
        self.asked = []  # (path, seconds)

    async def talk(self, reader, writer):
        while request := await reader.readuntil(b"\r\n\r\n"):
            self.asked.append((request.split()[1].decode(), asyncio.get_running_loop().time()))
            answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
            if callable(answer):
                answer = await answer(writer)
            if answer is None:
                return
            writer.write(answer)
            await writer.drain()
            if b"keep-alive" not in answer:
                return

    @asynccontextmanager
    async def open(self):
        async with listener(self.talk) as port:
            yield f"http://127.0.0.1:{port}"

    def pauses_s(self):
        times = [at_s for _, at_s in self.asked]
        return [later - earlier for earlier, later in pairwise(times)]


def answer(body=b"{}", status="200 OK", length=None, **headers):
    """Return a raw HTTP answer."""
    length = len(body) if length is None else length
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{named}\r\n".encode() + body


class Proxy:
    """Stands between a client and a server; cuts a connection when the server's reply comes, as often as told."""

    def __init__(self, port):
        self._port = port
        self.swallow = 0  # replies that are still not to be passed on
        self.swallowed = 0
        self.marker = b""  # only replies to requests that hold it

    async def talk(self, reader, writer):
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._port)
        is_doomed = asyncio.Event()

        async def answer_back():
            while reply := await upstream_reader.read(1 << 16):
                if is_doomed.is_set():
                    writer.transport.abort()
                    return
                writer.write(reply)

        answering = asyncio.create_task(answer_back())
        try:
            while request := await reader.read(1 << 16):
                if self.swallow and self.marker in request:
                    self.swallow -= 1
                    self.swallowed += 1
                    is_doomed.set()
                upstream.write(request)
        finally:
            answering.cancel()
            upstream.close()
