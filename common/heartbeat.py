"""Each process says once a second: alive, this far, this much behind."""

import asyncio
import os
import resource
import socket
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from common.clock import now_ns
from common.lifecycle import wait
from common.log import logger
from common.redis_facts import write_heartbeat
from common.redis_streams import Redis, RedisError

VERSION = "0.1.0"
EVERY_S = 1.0
TTL_S = 15
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

log = logger("heartbeat")


@dataclass
class Figures:
    """
    What a process knows of itself. Counters end in `_total` and only grow; gauges carry their unit.

    A figure with a label is named `name|label`, e.g. `rows_total|trades`.
    """

    program: str
    process: str
    kind: str
    venue: str = ""
    state: str = "starting"
    detail: str = ""
    last_error: str = ""
    last_error_ns: int = 0
    counters: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    gauges: dict[str, float] = field(default_factory=dict)
    started_ns: int = field(default_factory=now_ns)
    _troubles: dict[str, str] = field(default_factory=dict)

    def failed(self, error: BaseException | str) -> None:
        """Remember the latest thing that went wrong."""
        self.last_error = str(error)[:500]
        self.last_error_ns = now_ns()

    def waits(self, where: str, error: BaseException | str) -> None:
        """Say that the work at one place waits, and for what."""
        self.failed(error)
        self.expects(where, str(error))

    @property
    def troubles(self) -> dict[str, str]:
        """Return what the work waits for, by place."""
        return self._troubles

    def expects(self, where: str, what: str) -> None:
        """Say what the work at one place waits for, although nothing is wrong."""
        self._troubles[where] = what[:200]
        self._judge()

    def works(self, where: str) -> None:
        """Say that the work at one place goes on; all is well when it does so everywhere."""
        if self._troubles.pop(where, None) is not None or self.state == "starting":
            self._judge()

    def _judge(self) -> None:
        self.state = "waiting" if self._troubles else "running"
        self.detail = next(reversed(self._troubles.values()), "")

    def fields(self) -> dict[str, str | int | float]:
        """Return all of it as the fields of `proc:<process>`."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "program": self.program,
            "kind": self.kind,
            "venue": self.venue,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "version": VERSION,
            "started_ns": self.started_ns,
            "beat_ns": now_ns(),
            "state": self.state,
            "detail": self.detail,
            "last_error": self.last_error,
            "last_error_ns": self.last_error_ns,
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
            "rss_bytes": int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES,
            **self.counters,
            **self.gauges,
        }


async def beat(redis: Redis, figures: Figures, stop: asyncio.Event) -> None:
    """Write the figures every second until told to stop; Redis being away is for others to report."""
    while True:
        try:
            await write_heartbeat(redis, figures.process, figures.fields(), ttl_s=TTL_S)
        except RedisError as error:
            log.debug("heartbeat.lost", reason=str(error))
        if await wait(stop, EVERY_S):
            return
