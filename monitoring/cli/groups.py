"""`fleet groups`: who owns which shard, how far it is, and which batch it has in hand."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from common.clock import NS_PER_MS, now_ns
from common.readings import GroupReading, RedisReading, text_of
from common.redis_readings import RedisReader
from common.redis_streams import Redis, all_shards
from monitoring.cli.asking import Call, ask_redis
from monitoring.cli.exits import USAGE
from monitoring.cli.printing import age, console, number, show_json, table, tell

EXAMPLES = """
Examples:  fleet groups  |  fleet groups clickhouse_writer  |  fleet groups --json | jq '.[] | select(.behind_s > 5)'
"""
COLUMNS = (
    "group",
    "shard",
    "owner",
    "of>",
    "position>",
    "behind>",
    "by>",
    "pending>",
    "checkpoint>",
    "tries>",
    "batch in flight",
)
FACTS = ("manifest", "last_id", "checkpoint_id", "suspicion")


@dataclass(frozen=True)
class Place:
    """
    A group's place in one shard; `manifest` names the batch in flight.

    `members` are the group's processes that live, `attempts` the lives that have begun that batch, `checkpoint_s` how
    much of the stream a new owner would turn again to restore a state, None where there is none, and `suspicion` says
    how many records are taken at a time because a batch has killed its process.
    """

    group: str
    topic: str
    key: str
    owner: str
    position: int | None
    offset: int
    behind_records: int | None
    behind_s: float
    pending_entries: int
    attempts: int
    manifest: str
    members: tuple[str, ...]
    checkpoint_s: float | None
    suspicion: str
    is_paused: bool


def groups(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Only this group.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show every consumer group's place in every shard."""
    call: Call = ctx.obj
    every = ask_redis(call.settings, places_of)
    places = [place for place in every if name in ("", place.group)]
    if name and not places:
        known = ", ".join(sorted({place.group for place in every})) or "none yet"
        tell(f"no group {name}: there are {known}")
        raise typer.Exit(USAGE)
    if as_json:
        show_json([asdict(place) for place in places])
        return
    cells = [
        (
            place.group,
            place.key,
            place.owner or ("nobody: paused" if place.is_paused else "nobody"),
            number(len(place.members)),
            number(place.position),
            number(place.behind_records),
            age(place.behind_s),
            number(place.pending_entries),
            "" if place.checkpoint_s is None else age(place.checkpoint_s),
            number(place.attempts) if place.manifest else "",
            _in_short(place.manifest) or place.suspicion,
        )
        for place in places
    ]
    console().print(table("", COLUMNS, cells))


async def places_of(redis: Redis) -> list[Place]:
    """Return the place of every group in every shard."""
    reading = await RedisReader(redis).read(now_ns())
    shards = {shard.key: shard for shard in await all_shards(redis)}
    held = {
        (group.name, group.key): await redis.hmget(shards[group.key].group(group.name), *FACTS)
        for group in reading.groups
        if group.key in shards
    }
    return [_place(group, reading, held.get((group.name, group.key), [None] * len(FACTS))) for group in reading.groups]


def _place(group: GroupReading, reading: RedisReading, facts: Sequence[bytes | None]) -> Place:
    manifest, last_id, checkpoint_id, suspicion = (text_of(fact) for fact in facts)
    offset = next(shard.offset for shard in reading.shards if shard.key == group.key)
    return Place(
        group=group.name,
        topic=group.topic,
        key=group.key,
        owner=group.owner,
        position=group.position,
        offset=offset,
        behind_records=None if group.position is None else max(0, offset - group.position),
        behind_s=0.0 if group.oldest_id is None else _between_s(_ms(group.oldest_id), reading.server_ns / NS_PER_MS),
        pending_entries=group.pending_entries,
        attempts=group.attempts,
        manifest=manifest,
        members=tuple(process.name for process in reading.processes if process.fact("program") == group.name),
        checkpoint_s=_between_s(_ms(checkpoint_id), _ms(last_id)) if checkpoint_id else None,
        is_paused=group.is_paused,
        suspicion=f"wary: {json.loads(suspicion)['size']:,} at a time" if suspicion else "",
    )


def _ms(entry_id: str) -> float:
    return float(entry_id.partition("-")[0])


def _between_s(first_ms: float, last_ms: float) -> float:
    return round(max(0.0, last_ms - first_ms) / 1000, 3)


def _in_short(manifest: str) -> str:
    """Return which records the batch in flight holds, and in which round it is if not the first."""
    if not manifest:
        return ""
    named = json.loads(manifest)
    later = f", round {named['round']}" if named["round"] > 1 else ""
    return f"{named['start']:,} to {named['stop']:,}{later}"
