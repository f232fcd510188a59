"""Which processes of a program live: each counts up, and the others watch the counter with a clock of their own."""

from collections.abc import Mapping

from common.clock import monotonic_s
from common.redis_streams import Redis

SILENT_S = 3.0  # a process whose counter stands still this long is taken for dead
FORGET_S = 60.0


def _key(program: str) -> str:
    return f"members:{program}"


async def beat_member(redis: Redis, program: str, process: str) -> dict[str, str]:
    """Count one up as a process of a program; return every counter."""
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hincrby(_key(program), process, 1)
        pipe.hgetall(_key(program))
        _, held = await pipe.execute()
    return {name.decode(): beat.decode() for name, beat in held.items()}


async def remove_member(redis: Redis, program: str, process: str) -> None:
    """Take a process off the list; one that lives after all is back with its next beat."""
    await redis.hdel(_key(program), process)


class Members:
    """What is known of a program's processes: when each counter was last seen to move, by our monotonic clock."""

    def __init__(self) -> None:
        self._moved: dict[str, tuple[str, float]] = {}
        self._looked_s = 0.0

    def look(self, beats: Mapping[str, str], now_s: float) -> None:
        """Take note of the counters; whoever was frozen itself knows nothing, and begins to watch anew."""
        was_away = now_s - self._looked_s > SILENT_S / 2
        known = {} if was_away else self._moved
        self._moved = {
            name: known[name] if name in known and known[name][0] == beat else (beat, now_s)
            for name, beat in beats.items()
        }
        self._looked_s = now_s

    def living(self, now_s: float) -> list[str]:
        """Return the processes that are not known to be dead, in the order of their names."""
        return sorted(name for name, (_, moved_s) in self._moved.items() if now_s - moved_s < SILENT_S)

    def long_gone(self, now_s: float) -> list[str]:
        """Return those that may be taken off the list."""
        return [name for name, (_, moved_s) in self._moved.items() if now_s - moved_s > FORGET_S]

    def is_dead(self, name: str) -> bool:
        """Return whether a process was seen to stand still; one that never beat is unknown, not dead."""
        found = self._moved.get(name)
        return found is not None and monotonic_s() - found[1] >= SILENT_S
