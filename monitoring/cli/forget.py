"""`fleet forget`: a group that nobody reads any more no longer holds its streams."""

from typing import Annotated, Any

import typer

from common.redis_streams import Redis, all_shards
from monitoring.cli.asking import Call, ask_redis
from monitoring.cli.exits import FAILED, USAGE
from monitoring.cli.printing import console, number, show_json, table, tell
from monitoring.cli.whose import person
from monitoring.doing.deeds import NotDone, do
from monitoring.doing.groups import forgetting

EXAMPLES = """
Examples:  fleet forget file_writer  |  fleet forget old_reader --topic trades --yes
"""


def forget(
    ctx: typer.Context,
    group: Annotated[str, typer.Argument(help="The consumer group.")],
    topic: Annotated[str | None, typer.Option("--topic", help="Only in this topic.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, only say what it would touch.")] = False,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """
    Forget a group: what it has not read no longer keeps a stream from being trimmed.

    Its program, if it is started again, begins at the oldest entry that is still there. A group that somebody reads is
    not forgotten.
    """
    call: Call = ctx.obj
    rows = ask_redis(call.settings, lambda redis: _places(redis, group, topic))
    if not rows:
        tell(f"no group {group}{f' in {topic}' if topic else ''}; see: fleet groups")
        raise typer.Exit(USAGE)
    if as_json:
        show_json(rows)
    else:
        cells = [
            (row["stream"], row["owner"] or "nobody", number(row["behind"]), number(row["pending"])) for row in rows
        ]
        console().print(table("", ("stream", "read by", "not read>", "pending>"), cells))
    if not yes:
        tell("nothing was changed; --yes forgets it. The same by hand: redis-cli XGROUP DESTROY STREAM GROUP")
        return
    try:
        ask_redis(call.settings, lambda redis: _forget(redis, group, topic or ""))
    except NotDone as error:
        tell(f"not done: {error}")
        raise typer.Exit(FAILED) from error
    tell(f"{group} is forgotten in {len(rows)} streams")


async def _places(redis: Redis, group: str, topic: str | None) -> list[dict[str, Any]]:
    places = []
    for shard in await all_shards(redis):
        if topic not in (None, shard.stream.topic) or not await redis.exists(shard.key):
            continue
        known = {one["name"].decode(): one for one in await redis.xinfo_groups(shard.key)}
        if group not in known:
            continue
        held = {
            name.decode(): value.decode(errors="replace")
            for name, value in (await redis.hgetall(shard.group(group))).items()
        }
        offset = int(await redis.hget(shard.facts, "offset") or 0)
        places.append(
            {
                "stream": shard.key,
                "hash": shard.group(group),
                "group": group,
                "owner": held.get("owner", ""),
                "behind": offset - int(held.get("position", 0)),
                "pending": known[group]["pending"],
            }
        )
    return places


async def _forget(redis: Redis, group: str, topic: str) -> str:
    return await do(redis, await forgetting(redis, group, topic), person())
