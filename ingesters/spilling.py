"""From memory to the disk: what Redis does not take in time, all lanes of an ingester in one go."""

import asyncio
from collections.abc import Sequence

from common.clock import monotonic_s
from common.errors import SpoolRefused
from common.log import logger
from ingesters.lane import Lane
from ingesters.spool import Spool
from ingesters.told import Tell

log = logger("sink")

FLUSH_S = 0.1  # while Redis does not take it, so much of the newest is in memory only
EXPIRE_S = 60.0
SPOOL = "spool"


class Spilling:
    """Brings what is held up to the disk, and drops there what has become too old."""

    def __init__(self, lanes: Sequence[Lane], spool: Spool, tell: Tell) -> None:
        self._lanes = lanes
        self._spool = spool
        self._figures = spool.figures
        self._tell = tell
        self._one_at_a_time = asyncio.Lock()
        self._expired_s = monotonic_s()

    async def run(self) -> None:
        """Spill whatever is held up, for ever; while Redis is well this looks, and does nothing."""
        while True:
            await asyncio.sleep(FLUSH_S)
            if held_up := [lane for lane in self._lanes if lane.look()]:
                await self.write_down(held_up)
            else:
                self._figures.works(SPOOL)
            if self._spool.size_bytes and monotonic_s() - self._expired_s > EXPIRE_S:
                self._expired_s = monotonic_s()
                await self._expire()

    async def write_down(self, lanes: Sequence[Lane] | None = None) -> bool:
        """Give the spool what all lanes, or these, hold in memory; return whether it is safe now."""
        async with self._one_at_a_time:
            held = [(lane, packets) for lane in lanes or self._lanes if (packets := lane.waiting.sealed())]
            if not held:
                return True
            try:
                await self._spool.write([(lane.key, packet) for lane, packets in held for packet in packets])
                for lane, packets in held:
                    await lane.written(packets)
            except SpoolRefused as error:
                self._refused(error)
                return False
            self._figures.works(SPOOL)
            return True

    def _refused(self, error: SpoolRefused) -> None:
        if SPOOL not in self._figures.troubles:
            log.error(
                "sink.spool_refused", reason=str(error), bytes=sum(lane.waiting.size_bytes for lane in self._lanes)
            )
        self._figures.waits(SPOOL, error)

    async def _expire(self) -> None:
        try:
            gone = await self._spool.expire({lane.key: lane.on_its_way for lane in self._lanes})
        except SpoolRefused as error:
            self._figures.failed(error)
            return
        for key, rows in gone.items():
            self._figures.counters["spool_dropped_total"] += rows.records
            words = f"{key}: {rows.records} records waited in the spool longer than SPOOL_MAX_AGE_S and were dropped"
            log.error("spool.expired", shard=key, records=rows.records)
            self._tell("gap", rows.from_ns, words, rows.to_ns)
