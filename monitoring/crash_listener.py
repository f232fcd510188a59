"""`python -m monitoring.crash_listener`: is told by Supervisor of every program that falls over, and tells Redis."""

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import TextIO

from supervisor import childutils  # type: ignore[import-untyped]  # Supervisor has no types

from common import redis_streams
from common.clock import now_ns
from common.lifecycle import die_with_parent
from common.redis_streams import RedisError
from common.settings import Settings
from monitoring.crashes import Crash, write_down

MOST_WAITING = 10_000  # Redis may be what falls over; it is told when it stands again
ENDED, NOT_STARTED = "PROCESS_STATE_EXITED", "PROCESS_STATE_BACKOFF"


def listen(settings: Settings, said: TextIO, answers: TextIO) -> None:
    """
    Hear events until there are no more; http://supervisord.org/events.html.

    What Redis did not take is tried again with the next one: there is a tick every five seconds.
    """
    waiting: list[Crash] = []
    childutils.listener.ready(answers)
    while line := said.readline():
        headers = childutils.get_headers(line)
        crash = crash_of(headers, said.read(int(headers["len"])), now_ns())
        waiting = [*waiting, *([crash] if crash else [])][:MOST_WAITING]
        if waiting and _is_told(settings, waiting):
            waiting = []
        childutils.listener.ok(answers)
        childutils.listener.ready(answers)


def crash_of(headers: Mapping[str, str], payload: str, at_ns: int) -> Crash | None:
    """Return the crash that an event tells of; none if the program was told to end, or may end like that."""
    facts: dict[str, str] = childutils.get_headers(payload)
    is_crash = headers["eventname"] == NOT_STARTED or (headers["eventname"] == ENDED and facts["expected"] == "0")
    return Crash(facts["processname"], at_ns) if is_crash else None


def _is_told(settings: Settings, crashes: list[Crash]) -> bool:
    try:
        asyncio.run(_tell(settings, crashes))
    except (RedisError, OSError):
        return False
    return True


async def _tell(settings: Settings, crashes: list[Crash]) -> None:
    redis = redis_streams.connect(settings)
    try:
        await write_down(redis, crashes, now_ns())
    finally:
        await redis.aclose()


if __name__ == "__main__":
    die_with_parent()
    listen(Settings.from_env(os.environ), sys.stdin, sys.stdout)  # noqa: TID251  as in common/lifecycle.py
