"""Wait until every program is ready, and say what those wait for that are not."""

import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from common.clock import monotonic_s
from common.redis_streams import Redis, RedisError
from common.settings import Settings
from launch.daemon import Daemon, Process
from launch.programs import Program
from launch.servers import ask_redis

PATIENCE_S = 45.0
ALIVE_PATIENCE_S = 10.0  # for the last ones, once all have shown that they live: a venue may keep them waiting
POLL_S = 0.3
READY = ("running", "waiting")
LIVES = 3  # started so often within one wait: it falls over, only too slowly for Supervisor to say so


@dataclass(frozen=True)
class Readiness:
    """How far a process has come: `state` is its own word, or Supervisor's when it fell over, or empty."""

    process: str
    state: str
    detail: str = ""
    is_alive: bool = False

    @property
    def is_settled(self) -> bool:
        """Return whether waiting longer is of no use."""
        return bool(self.state)

    @property
    def is_failed(self) -> bool:
        """Return whether it fell over."""
        return self.state == "failed"


def wait_for(
    programs: Sequence[Program],
    daemon: Daemon,
    settings: Settings,
    *,
    patience_s: float = PATIENCE_S,
    meanwhile: Callable[[], object],
) -> list[Readiness]:
    """Return how far every process has come, once all are settled or patience ends."""
    alive_since_s = monotonic_s()
    deadline_s = alive_since_s + patience_s
    lives: dict[str, set[int]] = defaultdict(set)
    while True:
        known = {process.name: process for process in daemon.processes()}
        for process in known.values():
            lives[process.name] |= {process.pid} - {0}
        found = _look(programs, known, settings)
        for place, one in enumerate(found):
            if len(lives[one.process]) >= LIVES:
                found[place] = Readiness(one.process, "failed", known[one.process].last_words())
        if not all(one.is_settled or one.is_alive for one in found):
            alive_since_s = monotonic_s()
        now_s = monotonic_s()
        if all(one.is_settled for one in found) or now_s > min(deadline_s, alive_since_s + ALIVE_PATIENCE_S):
            return found
        meanwhile()
        time.sleep(POLL_S)


def _look(programs: Sequence[Program], known: Mapping[str, Process], settings: Settings) -> list[Readiness]:
    names = [name for program in programs for name in program.process_names]
    try:
        told = ask_redis(settings, lambda redis: _heartbeats(redis, names))
    except (RedisError, OSError):
        told = {}
    return [_readiness(name, known.get(name), told.get(name, {}), settings) for name in names]


def _readiness(name: str, process: Process | None, told: Mapping[str, str], settings: Settings) -> Readiness:
    if process is None:
        return Readiness(name, "failed", "Supervisor does not know it")
    if process.is_gone:
        return Readiness(name, "failed", process.last_words())
    if process.is_falling:
        return Readiness(name, "", f"fell over and is tried again: {process.last_words()}")
    if name == "dashboard":
        return Readiness(name, "running" if _is_served(settings) else "")
    is_this_one = told.get("pid") == str(process.pid)  # figures of an earlier run linger for some seconds
    if is_this_one and told.get("state") in READY:
        return Readiness(name, told["state"], told.get("detail", ""))
    return Readiness(name, "", told.get("detail", "") if is_this_one else "", is_alive=is_this_one)


async def _heartbeats(redis: Redis, names: Sequence[str]) -> dict[str, dict[str, str]]:
    async with redis.pipeline(transaction=False) as ask:
        for name in names:
            ask.hgetall(f"proc:{name}")
        replies = await ask.execute()
    return {
        name: {key.decode(): value.decode(errors="replace") for key, value in reply.items()}
        for name, reply in zip(names, replies, strict=True)
    }


def _is_served(settings: Settings) -> bool:
    host = "127.0.0.1" if settings.dashboard_host in ("", "0.0.0.0", "::") else settings.dashboard_host  # noqa: S104  compared, not bound
    try:
        with urllib.request.urlopen(f"http://{host}:{settings.dashboard_port}/healthz", timeout=2):
            return True
    except urllib.error.HTTPError:
        return True  # it answers; that it wants a password is as it should be
    except OSError:
        return False
