"""/streams: every topic, how full and how old it is, and who is behind on it."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.redis_streams import Redis
from monitoring import stream_rows
from monitoring.desk import Answer, AsOf, Desk
from monitoring.facts import Group, Stream
from monitoring.page import Look
from monitoring.ranges import Ranged
from monitoring.watch import Snapshot

MEASURED_EVERY_S = 5.0
SAMPLES = 20  # entries whose size is looked at to estimate that of a stream


@dataclass(frozen=True)
class Topic:
    """A topic with the memory that Redis estimates for it, and the groups that read it."""

    stream: Stream
    memory_bytes: int | None
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Streams:
    """Every topic; `redis` tells how old the memory figures are."""

    topics: tuple[Topic, ...]
    memory: AsOf


async def ask(desk: Desk, given: Ranged, shot: Snapshot) -> Answer[dict[str, int]]:
    """Return the memory of every shard, by its key."""
    del given
    keys = tuple(shard.key for shard in shot.redis.shards) if shot.redis else ()
    return await desk.of_redis(("memory", keys), MEASURED_EVERY_S, lambda redis: _memory(redis, keys))


async def _memory(redis: Redis, keys: Sequence[str]) -> dict[str, int]:
    asked = redis.pipeline(transaction=False)
    for key in keys:
        asked.memory_usage(key, samples=SAMPLES)
    replies = await asked.execute() if keys else []
    return {key: int(size or 0) for key, size in zip(keys, replies, strict=True)}


def view(look: Look) -> Streams:
    """Return every topic of a snapshot."""
    groups = stream_rows.groups(look.shot)
    return Streams(
        topics=tuple(
            Topic(row, _memory_of(look, row.topic), tuple(group for group in groups if group.topic == row.topic))
            for row in stream_rows.streams(look.shot)
        ),
        memory=look.found.as_of(look.now_ns),
    )


def _memory_of(look: Look, topic: str) -> int | None:
    held: dict[str, int] | None = look.found.value
    keys = [shard.key for shard in look.shot.redis.shards if shard.topic == topic] if look.shot.redis else []
    if held is None or not all(key in held for key in keys):
        return None
    return sum(held[key] for key in keys)
