"""/groups: every consumer group, shard by shard: how far, whose, what it has in hand."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.clock import NS_PER_MS, NS_PER_S
from common.readings import GroupReading, ProcessReading, RedisReading, text_of, whole_of
from common.redis_streams import Redis, all_shards
from monitoring import stream_rows
from monitoring.desk import Answer, AsOf, Desk
from monitoring.facts import Group
from monitoring.page import Look
from monitoring.ranges import Ranged
from monitoring.verdicts import Verdict, of_group
from monitoring.watch import Snapshot

EVERY_S = 1.5
HASH = ("manifest", "last_id", "checkpoint_id", "suspicion")
Keys = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Kept:
    """What Redis keeps of a group's place in one shard: its hash, and the oldest entry that is not acknowledged."""

    manifest: str
    last_id: str
    checkpoint_id: str
    suspicion: str
    oldest_pending_s: float | None
    deliveries: int | None


@dataclass(frozen=True)
class Place:
    """
    A group's place in one shard.

    `batch` names the records in flight, `checkpoint_s` is how much of the stream a new owner would turn again to
    restore a state, None where the group keeps none; `owner_state` is what the owner's process says of itself.
    """

    key: str
    owner: str
    owner_state: str
    verdict: Verdict
    position: int | None
    behind_records: int | None
    behind_s: float
    pending_entries: int
    oldest_pending_s: float | None
    deliveries: int | None
    attempts: int
    batch: str
    suspicion: str
    checkpoint_s: float | None


@dataclass(frozen=True)
class Grouping:
    """A group's place in a topic, and in each of its shards."""

    group: Group
    processes: tuple[str, ...]
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Groups:
    """Every group; `kept` tells how old batches, checkpoints and pending entries are."""

    rows: tuple[Grouping, ...]
    kept: AsOf


async def ask(desk: Desk, given: Ranged, shot: Snapshot) -> Answer[dict[tuple[str, str], Kept]]:
    """Return what is kept of every group's place, by group and key."""
    del given
    names: Keys = tuple((group.name, group.key) for group in shot.redis.groups) if shot.redis else ()
    return await desk.of_redis(("groups", names), EVERY_S, lambda redis: _kept(redis, names))


async def _kept(redis: Redis, names: Keys) -> dict[tuple[str, str], Kept]:
    shards = {shard.key: shard for shard in await all_shards(redis)}
    known = [(name, shards[key]) for name, key in names if key in shards]
    asked = redis.pipeline(transaction=False)
    for name, shard in known:
        asked.hmget(shard.group(name), *HASH)
        asked.xpending_range(shard.key, name, min="-", max="+", count=1)
    replies = await asked.execute(raise_on_error=False) if known else []
    return {
        (name, shard.key): _of_replies(facts, pending)
        for (name, shard), facts, pending in zip(known, replies[::2], replies[1::2], strict=True)
    }


def _of_replies(facts: Any, pending: Any) -> Kept:  # noqa: ANN401  the driver's replies, or the error that one gave
    words = [text_of(fact) for fact in facts] if isinstance(facts, list) else [""] * len(HASH)
    oldest = pending[0] if isinstance(pending, list) and pending else None
    idle_s, deliveries = (
        (float(oldest["time_since_delivered"]) / 1000, int(oldest["times_delivered"])) if oldest else (None, None)
    )
    manifest, last_id, checkpoint_id, suspicion = words
    return Kept(manifest, last_id, checkpoint_id, suspicion, idle_s, deliveries)


def view(look: Look) -> Groups:
    """Return every group of a snapshot, the worst first among equals of name."""
    reading = look.shot.redis
    held: Mapping[tuple[str, str], Kept] = look.found.value or {}
    rows = stream_rows.groups(look.shot) if reading else ()
    return Groups(
        rows=tuple(_grouping(row, look, reading, held) for row in rows if reading),
        kept=look.found.as_of(look.now_ns),
    )


def _grouping(row: Group, look: Look, reading: RedisReading, held: Mapping[tuple[str, str], Kept]) -> Grouping:
    parts = [part for part in reading.groups if (part.name, part.topic) == (row.name, row.topic)]
    processes = tuple(one.name for one in reading.processes if one.fact("program") == row.name)
    return Grouping(
        row, processes, tuple(_place(part, look, reading, held.get((part.name, part.key))) for part in parts)
    )


def _place(part: GroupReading, look: Look, reading: RedisReading, kept: Kept | None) -> Place:
    offset = next(shard.offset for shard in reading.shards if shard.key == part.key)
    lag_s = _between_s(_ms(part.oldest_id), reading.server_ns / NS_PER_MS) if part.oldest_id else 0.0
    silent_s = look.shot.owner_silent_s.get(f"{part.key}|{part.name}")
    return Place(
        key=part.key,
        owner=part.owner,
        owner_state=_state_of(part.owner, reading.processes, look),
        verdict=of_group(part.name, lag_s=lag_s, owner=part.owner, silent_s=silent_s, is_paused=part.is_paused),
        position=part.position,
        behind_records=None if part.position is None else max(0, offset - part.position),
        behind_s=lag_s,
        pending_entries=part.pending_entries,
        oldest_pending_s=kept.oldest_pending_s if kept else None,
        deliveries=kept.deliveries if kept else None,
        attempts=part.attempts,
        batch=_in_short(kept.manifest) if kept else "",
        suspicion=_wary(kept.suspicion) if kept else "",
        checkpoint_s=_between_s(_ms(kept.checkpoint_id), _ms(kept.last_id)) if kept and kept.checkpoint_id else None,
    )


def _state_of(owner: str, processes: Sequence[ProcessReading], look: Look) -> str:
    if not owner:
        return "nobody"
    process = next((one for one in processes if one.name == owner or one.fact("program") == owner), None)
    if process is None:
        return "no heartbeat"
    age_s = (look.now_ns - process.figures.get("beat_ns", 0)) / NS_PER_S
    return process.fact("state") if age_s < 15 or look.shot.redis_problem else "no heartbeat"  # noqa: PLR2004  its TTL


def _ms(entry_id: str | None) -> float:
    return float(whole_of((entry_id or "0").partition("-")[0].encode(), 0))


def _between_s(first_ms: float, last_ms: float) -> float:
    return round(max(0.0, last_ms - first_ms) / 1000, 3)


def _in_short(manifest: str) -> str:
    """Return which records the batch in flight holds, and in which round it is if not the first."""
    try:
        named = json.loads(manifest or "{}")
        later = f", round {named['round']}" if named["round"] > 1 else ""
        return f"{named['start']:,} to {named['stop']:,}{later}"
    except (ValueError, KeyError, TypeError):
        return "unreadable" if manifest else ""


def _wary(suspicion: str) -> str:
    try:
        return f"wary: {json.loads(suspicion)['size']:,} at a time" if suspicion else ""
    except (ValueError, KeyError, TypeError):
        return "wary"
