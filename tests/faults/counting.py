"""
A stateful processor of its own, to be killed: python -m tests.faults.counting PROCESS.

CRASH is where the process kills itself, e.g. `commit:2:after`: after its second commit stands in Redis; FREEZE where it
stops itself. WITHOUT names a part of the consume side that does nothing, to show that the tests notice.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec
import polars as pl

import common.redis_streams
import processors.gathering
import processors.memory
import processors.owning
from common.clickhouse import Store
from common.errors import UnreadableCheckpoint
from common.heartbeat import Figures
from common.inbox import Inbox
from common.lifecycle import run
from common.redis_streams import connect, shards
from common.streams import BY_TOPIC, STATUSES, STREAMS, TICKERS
from processors.company import Company
from processors.consumer import Consumer
from processors.knowledge import Knowledge
from processors.loop import consume
from processors.memory import Memory
from processors.processor import Made, Processor
from processors.sharing import Share
from processors.targets import StreamTarget

GROUP = "counting_processor"
VERSION = 1
DEADLY = "DEADLY"  # a record of this symbol kills its process at once


class Counting:
    """Counts each symbol's trades; a ticker tells the count, and every seventh trade also a status."""

    def __init__(self, saved):
        self.counts = {}
        if saved:
            version, self.counts = msgspec.json.decode(saved)
            if version != VERSION:
                raise UnreadableCheckpoint(GROUP, reason=f"expected version {VERSION}, found {version}")

    def turn(self, frame, _):
        tickers = []
        for venue, symbol, received_ns in frame.select("venue", "symbol", "received_ns").iter_rows():
            if symbol == DEADLY:
                os._exit(1)
            self.counts[symbol] = self.counts.get(symbol, 0) + 1
            count = str(self.counts[symbol])
            tickers.append({"venue": venue, "symbol": symbol, "received_ns": received_ns, "last_price": count})
        rows = pl.DataFrame(tickers, schema=["venue", "symbol", "received_ns", "last_price"], orient="row")
        sevenths = rows.filter(pl.col("last_price").cast(pl.Int64) % 7 == 0).drop("last_price")
        return Made(rows, also={STATUSES: sevenths.with_columns(kind=pl.lit("trading"), state=pl.lit("seventh"))})

    def save(self):
        return msgspec.json.encode((VERSION, self.counts))


def crash_at(place, with_signal=signal.SIGKILL):
    name, number, when = place.split(":")
    calls = iter(range(1, 1_000_000))
    owner = Inbox if hasattr(Inbox, name) else Store
    method = getattr(owner, name)

    async def dying(self, *args, **more):
        is_now = next(calls) == int(number)
        if is_now and when == "before":
            os.kill(os.getpid(), with_signal)
        answer = await method(self, *args, **more)
        if is_now:
            os.kill(os.getpid(), with_signal)
        return answer

    setattr(owner, name, dying)


def unfenced(scripts):
    """Return a folder of the scripts that believe whoever calls."""
    folder = Path(os.environ["DATA_DIR"]) / "unfenced"
    folder.mkdir(exist_ok=True)
    for script in scripts.glob("*.lua"):
        lines = script.read_text().splitlines(keepends=True)
        believed = [line for line in lines if not any(word in line for word in ("FENCED", "MISMATCH", "DUP"))]
        (folder / script.name).write_text("".join(believed))
    return folder


async def nothing_caught_up(self, _inbox, owned, *_):
    self._turned = owned.position
    return []


async def as_it_is(_):
    """Leave a shard's count alone."""


async def main(process, settings, stop):
    redis = connect(settings)
    layout = {stream: await shards(redis, stream, settings) for stream in STREAMS}
    sources = layout[BY_TOPIC[os.environ.get("SOURCE", "trades")]]
    figures = Figures(GROUP, process, "processor")
    share = Share(redis, figures, [[shard.key for shard in sources]])
    counting = Processor(GROUP, sources[0].stream, None, TICKERS, state=Counting)
    tasks, company = [share.keep(stop)], Company()
    for shard in sources:
        work = Consumer(
            processor=counting,
            process=process,
            inbox=Inbox(redis, shard, GROUP),
            target=StreamTarget(TICKERS, layout, as_it_is),
            knowledge=Knowledge(None, None),
            figures=figures,
            linger_s=0.0,
            memory=Memory(counting),
            layout=layout,
            company=company,
            grant=share.grants[shard.key],
            is_dead=share.is_dead,
        )
        tasks.append(consume(work, stop))
    await asyncio.gather(*tasks)
    await redis.aclose()


if __name__ == "__main__":
    processors.gathering.READ_ENTRIES, processors.gathering.MAX_RECORDS, processors.owning.SILENT_S = 3, 20, 0.5
    processors.memory.EVERY_S, processors.memory.READ_ENTRIES = float(os.environ.get("EVERY_S", "0.05")), 2
    if os.environ.get("CRASH"):
        crash_at(os.environ["CRASH"])
    if os.environ.get("FREEZE"):
        crash_at(os.environ["FREEZE"], signal.SIGSTOP)
    if os.environ.get("WITHOUT") == "catch_up":
        Memory.catch_up = nothing_caught_up
    if os.environ.get("WITHOUT") == "fence":
        common.redis_streams.LUA = unfenced(common.redis_streams.LUA)
    sys.exit(run(sys.argv[1], lambda settings, stop: main(sys.argv[1], settings, stop)))
