"""python -m ingesters PROGRAM: record one venue of VENUES."""

import asyncio
import sys

from common.heartbeat import Figures, beat
from common.lifecycle import REFUSED, run
from common.redis_streams import connect, shards, wait_ready
from common.settings import Settings
from ingesters.conversation import Ingester
from ingesters.loop import ingest
from ingesters.registry import VENUES, of_program
from ingesters.sink import Sink
from ingesters.venue import Venue

DRAIN_S = 20.0


async def main(venue: Venue, settings: Settings, stop: asyncio.Event) -> None:
    """Ingest until told to stop, then wait until Redis has it all."""
    redis = connect(settings)
    figures = Figures(venue.program, venue.program, "ingester", venue.name)
    heart = asyncio.create_task(beat(redis, figures, stop))
    try:
        figures.detail = "waiting for Redis"
        await wait_ready(redis)
        layout = {stream: await shards(redis, stream, settings) for stream in venue.topics}
        sink = Sink(redis, layout, venue.program, figures)
        await sink.claim()
        carrying = asyncio.create_task(sink.run())
        recording = asyncio.create_task(ingest(Ingester(venue, settings, redis, sink, figures), stop))
        await asyncio.wait((carrying, recording), return_when=asyncio.FIRST_COMPLETED)
        if carrying.done():
            recording.cancel()
            carrying.result()  # Fenced
        await recording
        figures.state = "stopping"
        async with asyncio.timeout(DRAIN_S):
            await sink.empty()
        carrying.cancel()
    finally:
        stop.set()
        await heart
        await redis.aclose()


def _start() -> int:
    venue = of_program(sys.argv[1]) if len(sys.argv) == 2 else None  # noqa: PLR2004  the program's name and ours
    if venue is None:
        print(f"usage: python -m ingesters {'|'.join(known.program for known in VENUES)}", file=sys.stderr)  # noqa: T201
        return REFUSED
    return run(venue.program, lambda settings, stop: main(venue, settings, stop))


if __name__ == "__main__":
    sys.exit(_start())
