"""`fleet streams`: every topic in Redis, and one of them with its shards, its writers and its readers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from common.readings import ShardReading
from common.redis_streams import Redis
from common.streams import BY_TOPIC
from monitoring import stream_rows
from monitoring.cli.asking import Call, ask_redis, look
from monitoring.cli.exits import FAILED, USAGE
from monitoring.cli.printing import age, as_dict, console, level_text, mebibytes, number, show_json, table, tell
from monitoring.facts import Group
from monitoring.stream_rows import id_age_s

EXAMPLES = """
Examples:  fleet streams  |  fleet streams show books  |
fleet streams --json | jq '.[] | select(.topic=="trades").records_total'
"""


@dataclass(frozen=True)
class ShardRow:
    """One shard of a stream: what was ever appended, what it still holds, in how much memory, and who appends."""

    key: str
    records_total: int
    entries: int
    memory_bytes: int | None
    first_id: str | None
    last_id: str | None
    oldest_age_s: float | None
    newest_age_s: float | None
    appended_by: tuple[str, ...]


def ls(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show every stream: records ever appended, entries kept, rate, age of the oldest and the newest entry."""
    call: Call = ctx.obj
    rows = stream_rows.streams(look(call.settings))
    if as_json:
        show_json([as_dict(row) for row in rows])
        return
    columns = ("topic", "key", "shards>", "records>", "per s>", "entries kept>", "oldest>", "newest>")
    cells = [
        (
            row.topic,
            row.key,
            str(row.shards),
            number(row.records_total),
            number(row.records_per_s, digits=1),
            number(row.entries),
            age(row.oldest_age_s),
            age(row.newest_age_s),
        )
        for row in rows
    ]
    console().print(table("", columns, cells))


def show(
    ctx: typer.Context,
    stream: Annotated[str, typer.Argument(help="A topic (trades) or the key of a stream.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,  # noqa: FBT002
) -> None:
    """Show a stream's shards (records, entries, memory, who appends) and how far each group has read it."""
    call: Call = ctx.obj
    topic = topic_of(stream)
    if topic is None:
        tell(f"no stream {stream}: expected one of {', '.join(BY_TOPIC)}")
        raise typer.Exit(USAGE)
    shot = look(call.settings)
    shards = [shard for shard in shot.redis.shards if shard.topic == topic] if shot.redis else []
    if shot.redis is None or not shards:
        tell(f"{stream}: nothing has been written to it yet")
        raise typer.Exit(FAILED)
    held = ask_redis(call.settings, lambda redis: _bytes_of(redis, [shard.key for shard in shards]))
    rows = [_row(shard, held.get(shard.key), shot.redis.server_ns) for shard in shards]
    groups = [group for group in stream_rows.groups(shot) if group.topic == topic]
    if as_json:
        show_json(
            {"topic": topic, "shards": [asdict(row) for row in rows], "groups": [as_dict(group) for group in groups]}
        )
    else:
        _print(rows, groups)


def topic_of(stream: str) -> str | None:
    """Return the topic that a person means by a topic, a key or the key of a shard; None if there is none."""
    topic = stream.removeprefix("stream:").strip("{}").partition(":")[0]
    return topic if topic in BY_TOPIC else None


async def _bytes_of(redis: Redis, keys: list[str]) -> dict[str, int | None]:
    """Return the memory that each key takes, by a sample of its entries."""
    return {key: await redis.memory_usage(key) for key in keys}


def _row(shard: ShardReading, held_bytes: int | None, server_ns: int) -> ShardRow:
    return ShardRow(
        key=shard.key,
        records_total=shard.offset,
        entries=shard.entries,
        memory_bytes=held_bytes,
        first_id=shard.first_id,
        last_id=shard.last_id,
        oldest_age_s=id_age_s(shard.first_id, server_ns) if shard.first_id else None,
        newest_age_s=id_age_s(shard.last_id, server_ns) if shard.last_id else None,
        appended_by=shard.sources,
    )


def _print(rows: Sequence[ShardRow], groups: Sequence[Group]) -> None:
    columns = ("shard", "records>", "entries kept>", "MiB>", "oldest>", "newest>", "appended by")
    cells = [
        (
            row.key,
            number(row.records_total),
            number(row.entries),
            mebibytes(row.memory_bytes),
            age(row.oldest_age_s),
            age(row.newest_age_s),
            ", ".join(row.appended_by),
        )
        for row in rows
    ]
    console().print(table("", columns, cells))
    readers = [
        (
            group.name,
            level_text(group.verdict.level, group.verdict.words),
            number(group.lag_records),
            age(group.lag_s),
            number(group.pending_entries),
            ", ".join(group.owners) or "nobody",
        )
        for group in groups
    ]
    console().print(table("\nRead by", ("group", "state", "behind>", "by>", "pending>", "owners"), readers))
