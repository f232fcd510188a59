"""`fleet groups`: who owns which shard, how far it is, and which batch it has in hand."""

import json
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from common.clock import NS_PER_MS, NS_PER_S, now_ns
from common.readings import GroupReading, RedisReading
from common.redis_readings import RedisReader
from common.redis_streams import Redis, all_shards
from monitoring.cli.asking import Call, ask_redis
from monitoring.cli.printing import age, console, number, show_json, table

EXAMPLES = """
Examples:  fleet groups  |  fleet groups clickhouse_writer  |  fleet groups --json | jq '.[] | select(.behind_s > 5)'
"""


@dataclass(frozen=True)
class Place:
    """A group's place in one shard; `manifest` names the batch in flight."""

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


def groups(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Only this group.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show every consumer group's place in every shard."""
    call: Call = ctx.obj
    places = [place for place in ask_redis(call.settings, places_of) if name in ("", place.group)]
    if as_json:
        show_json([asdict(place) for place in places])
        return
    columns = ("group", "shard", "owner", "position>", "behind>", "by>", "pending>", "tries>", "batch in flight")
    cells = [
        (
            place.group,
            place.key,
            place.owner or "nobody",
            number(place.position),
            number(place.behind_records),
            age(place.behind_s),
            number(place.pending_entries),
            number(place.attempts) if place.manifest else "",
            _in_short(place.manifest),
        )
        for place in places
    ]
    console().print(table("", columns, cells))


async def places_of(redis: Redis) -> list[Place]:
    """Return the place of every group in every shard."""
    reading = await RedisReader(redis).read(now_ns())
    shards = {shard.key: shard for shard in await all_shards(redis)}
    manifests = {
        (group.name, group.key): (await redis.hget(shards[group.key].group(group.name), "manifest") or b"").decode()
        for group in reading.groups
        if group.in_flight and group.key in shards
    }
    return [_place(group, reading, manifests.get((group.name, group.key), "")) for group in reading.groups]


def _place(group: GroupReading, reading: RedisReading, manifest: str) -> Place:
    offset = next(shard.offset for shard in reading.shards if shard.key == group.key)
    behind_s = 0.0
    if group.oldest_id is not None:
        behind_s = max(0.0, (reading.server_ns - int(group.oldest_id.partition("-")[0]) * NS_PER_MS) / NS_PER_S)
    return Place(
        group=group.name,
        topic=group.topic,
        key=group.key,
        owner=group.owner,
        position=group.position,
        offset=offset,
        behind_records=None if group.position is None else max(0, offset - group.position),
        behind_s=round(behind_s, 3),
        pending_entries=group.pending_entries,
        attempts=group.attempts,
        manifest=manifest,
    )


def _in_short(manifest: str) -> str:
    """Return which records the batch in flight holds, and in which round it is if not the first."""
    if not manifest:
        return ""
    named = json.loads(manifest)
    later = f", round {named['round']}" if named["round"] > 1 else ""
    return f"{named['start']:,} to {named['stop']:,}{later}"
