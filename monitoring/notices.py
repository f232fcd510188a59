"""What happens to programs, told as it happens: started, stopped by hand, ended and why, and what they had done."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from common.clock import NS_PER_S, now_ns
from common.lifecycle import wait
from common.readings import ProcessReading
from common.redis_streams import Redis, RedisError
from monitoring.crashes import crashes_since
from monitoring.notifiers import Message, Post
from monitoring.supervised import Supervised, supervised
from monitoring.watch import Watch

LOOK_EVERY_S = 2.0
CRASHES_OVER_S = 600.0
LISTENER = "crash_listener"
RUNNING, UNDER_WAY, STOPPED = "RUNNING", ("STARTING", "STOPPING", "BACKOFF"), "STOPPED"
FAREWELL = Message(
    "the dashboard stops", "nothing is told until it runs again", {"event": "dashboard", "state": "stopping"}
)


@dataclass(frozen=True)
class Notice:
    """Something happened to a process: `started`, `stopped` (by hand) or `ended` (by itself), `why` for the last."""

    process: str
    state: str
    why: str = ""


@dataclass
class Programs:
    """
    What Supervisor said last; nothing where this dashboard has none.

    `crashed` is how often each process has fallen over in the last ten minutes, None where nobody listens for that.
    """

    address: str
    redis: Redis
    seen: Mapping[str, Supervised] = field(default_factory=dict)
    crashed: Mapping[str, int] | None = None

    async def run(self, watch: Watch, post: Post, stop: asyncio.Event) -> None:
        """Ask every two seconds and tell what has changed, until told to stop."""
        is_first = True
        while self.address and not await wait(stop, 0.0 if is_first else LOOK_EVERY_S):
            try:
                now = await asyncio.to_thread(supervised, self.address)
            except OSError:  # it is stopping, or was killed; the next look tells
                continue
            told = changes(self.seen, now)
            if is_first:
                post.put(beginning(now))
            elif told:
                post.put(message_of(told, _last_words(watch)))
            self.seen = settled(self.seen, now)
            self.crashed = await self._crashed()
            is_first = False

    async def _crashed(self) -> Mapping[str, int] | None:
        listener = self.seen.get(LISTENER)
        if listener is None or listener.state != RUNNING:
            return None
        try:
            return await crashes_since(self.redis, now_ns() / NS_PER_S - CRASHES_OVER_S)
        except (RedisError, OSError):
            return self.crashed


def changes(before: Mapping[str, Supervised], now: Mapping[str, Supervised]) -> list[Notice]:
    """Return what has happened between two looks; what is under way is told when it is over."""
    return [notice for name, one in now.items() for notice in _changes(before.get(name), one)]


def _changes(before: Supervised | None, now: Supervised) -> list[Notice]:
    was_running = before is not None and before.state == RUNNING
    if now.state in UNDER_WAY or (before is not None and (before.state, before.pid) == (now.state, now.pid)):
        return []
    if now.state == RUNNING:
        ended = [Notice(now.name, "ended", "it was started again at once")] if was_running else []
        return [*ended, Notice(now.name, "started")]
    if before is None or not (was_running or before.state in UNDER_WAY):
        return []
    if now.state == STOPPED:
        return [Notice(now.name, "stopped")]
    status = "" if now.exit_status is None else f"exit code {now.exit_status}"
    return [Notice(now.name, "ended", status or now.why)]


def settled(before: Mapping[str, Supervised], now: Mapping[str, Supervised]) -> dict[str, Supervised]:
    """Return what the next look is compared with: what is under way stays as it was before it began."""
    return {name: before[name] if one.state in UNDER_WAY and name in before else one for name, one in now.items()}


def beginning(now: Mapping[str, Supervised]) -> Message:
    """Return what is told when the dashboard has begun to look."""
    running = sum(one.state == RUNNING for one in now.values())
    others = [f"{one.name} {one.state}" for one in now.values() if one.state not in (RUNNING, *UNDER_WAY)]
    words = f"{running} of {len(now)} processes run" + (f"; {', '.join(others)}" if others else "")
    return Message("the fleet runs", words, {"event": "dashboard", "state": "started", "running": running})


def message_of(told: list[Notice], known: Mapping[str, ProcessReading]) -> Message:
    """Return one message of all that happened between two looks."""
    title = ", ".join(f"{notice.process} {_verb(notice)}" for notice in told)
    words = "\n".join(filter(None, (_words(notice, known.get(notice.process)) for notice in told)))
    facts = [{"process": notice.process, "state": notice.state, "why": notice.why} for notice in told]
    return Message(title, words or "as asked", {"event": "process", "changes": facts})


def _verb(notice: Notice) -> str:
    return "was stopped by hand" if notice.state == "stopped" else notice.state


def _words(notice: Notice, known: ProcessReading | None) -> str:
    """Return why a process ended and what it had done; nothing is told of one that was started."""
    if notice.state == "started":
        return ""
    records = known.total("records_total") if known else None
    error = known.fact("last_error") if known else ""
    said = [notice.why, f"last error: {error}" if error and notice.state == "ended" else ""]
    said.append("" if records is None else f"{records:,.0f} records since it began")
    return f"{notice.process}: " + "; ".join(filter(None, said)) if any(said) else ""


def _last_words(watch: Watch) -> dict[str, ProcessReading]:
    """Return what each process said last, also of those that are gone."""
    shot = watch.snapshot
    known = [*shot.gone.values(), *(shot.redis.processes if shot.redis else ())]
    return {one.name: one for one in known}
