"""What the tests of servers, machine and versions share: a venue at full rate, wires that fail, and the count."""

import asyncio
import contextlib
import threading
import time

import redis
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from benchmarks.chaos.proxy import Proxy
from common.outbox import SKIPPED
from tests.faults.plain_venue import NAME
from tests.fleet_harness import PYTHON, free_port, wait_for

EVERY_S = 0.01
AT_ONCE = 10  # 1,000 a second
TRADES = "FROM trades WHERE venue = 'plain'"
FIGURES = (
    "SELECT count(), uniqExact(trade_id), uniqExact(offset), max(toUInt64(trade_id)) + 1, "
    f"max(offset) - min(offset) + 1 {TRADES}"
)
DISORDER = (
    "SELECT countIf(number < before) FROM (SELECT toUInt64(trade_id) AS number, "
    f"lagInFrame(number, 1, 0) OVER (ORDER BY offset) AS before {TRADES})"
)


class Ledger:
    """A venue that counts, each number once, to whoever is connected; `sent` is the truth."""

    def __init__(self):
        self.sent = 0
        self.flows = True
        self.is_over = False

    async def talk(self, socket):
        with contextlib.suppress(ConnectionClosed):
            while not self.is_over:
                for _ in range(AT_ONCE if self.flows else 0):
                    await socket.send(str(self.sent))
                    self.sent += 1
                await asyncio.sleep(EVERY_S)


class Work:
    """A venue and wires in a thread of their own, and the programs of a fleet between them."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.ledger = Ledger()
        self.redis_wire = self.clickhouse_wire = None
        self._proxies = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self.wait(self._serve())
        self._url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"

    def wait(self, coroutine):
        """Run a coroutine in the thread, and return what it gave."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def call(self, function, *args):
        """Call a function in the thread."""
        asyncio.run_coroutine_threadsafe(_called(function, *args), self._loop).result(30)

    def proxy(self, port):
        """Return a wire to a port that can be cut, stalled and made to lie."""
        return self.wait(self._proxy(port))

    free_port = staticmethod(free_port)

    @staticmethod
    def client(port):
        return redis.Redis(port=port, decode_responses=True)

    def through_wires(self):
        """Have the programs reach both servers through wires."""
        fleet = self.fleet
        self.redis_wire, self.clickhouse_wire = self.proxy(fleet.redis_port), self.proxy(fleet.clickhouse_port)
        fleet.environment |= {
            "REDIS_PORT": str(self.redis_wire.port),
            "CLICKHOUSE_PORT": str(self.clickhouse_wire.port),
        }

    def begin(self, *, first_rows=500):
        """Start the programs; return when the first rows stand."""
        self.fleet.start_program("clickhouse_writer")
        self.start_ingester()
        self.go_on(first_rows)

    def start_ingester(self, name=NAME):
        self.fleet.start(name, PYTHON, "-m", "tests.faults.plain_ingester", self._url)

    @property
    def rows(self):
        return self.fleet.sql(FIGURES)[0][0]

    def go_on(self, rows=500, give_up_s=40.0):
        """Return when so many rows more stand in the table."""
        before = None

        def more():
            nonlocal before
            found = self.rows
            before = found if before is None else before
            return found >= before + rows

        wait_for(more, give_up_s=give_up_s, what="rows go on")

    def keep_sending(self, seconds):
        """Let the venue send on while something is as it is; returns how many numbers that were."""
        before = self.ledger.sent
        time.sleep(seconds)  # the fault lasts so long: there is nothing to wait for
        return self.ledger.sent - before

    def rest(self, give_up_s=60.0, *, at_least=None):
        """Silence the venue, and return when the last of its numbers stands in the table."""
        self.ledger.flows = False
        wait_for(
            lambda: self.fleet.sql(FIGURES)[0][3] - (self.ledger.sent if at_least is None else at_least),
            expected=0,  # a burst that has begun is still sent
            give_up_s=give_up_s,
            what="the last number in the table",
        )

    def assert_whole(self, give_up_s=60.0, *, may_skip=False):
        """
        See that everything sent stands once, in order, and that nothing was told to be missing.

        A Redis that lost its end may leave running numbers out: of that the consumers tell, who cannot know better.
        """
        self.rest(give_up_s)
        sent, found = self.ledger.sent, self.fleet.sql(FIGURES)[0]
        assert (sent, sent, sent, sent) == found[:4]
        assert (found[4] - sent) in ({number * SKIPPED for number in range(5)} if may_skip else {0})
        assert [(0,)] == self.fleet.sql(DISORDER)
        assert [(0,)] == self.fleet.sql("SELECT count() FROM dead_letters")
        assert [] == self.gaps("venue = 'plain'" if may_skip else "1")

    def gaps(self, where="1"):
        """Return the details of what was told to be missing."""
        return [row[0] for row in self.fleet.sql(f"SELECT detail FROM feed_events WHERE kind = 'gap' AND {where}")]

    def close(self):
        self.wait(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self):
        return await serve(self.ledger.talk, "127.0.0.1", 0, ping_interval=None, compression=None, close_timeout=0.2)

    async def _proxy(self, port):
        made = Proxy(port)
        self._proxies.append(made)
        await made.start()
        return made

    async def _close(self):
        self.ledger.is_over = True
        self._server.close()
        await self._server.wait_closed()
        for proxy in self._proxies:
            await proxy.stop()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.wait(others or [asyncio.create_task(asyncio.sleep(0))], timeout=5)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0.1)  # for the transports, which close their sockets in a later turn


async def _called(function, *args):
    function(*args)


@contextlib.contextmanager
def work(fleet):
    """A venue at work for a fleet; its programs end before the venue does."""
    made = Work(fleet)
    try:
        yield made
    finally:
        for name in list(fleet.processes):
            if name not in ("redis", "clickhouse"):
                fleet.end(name)
                del fleet.processes[name]
        made.close()


def restart(fleet, server):
    """Start a server again that was killed, and wait until it answers."""
    if server == "redis":
        fleet.restart("redis")
        wait_for(fleet.redis.ping, what="redis")
    else:
        fleet.start_clickhouse()
