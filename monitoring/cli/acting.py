"""`fleet pause`, `resume`, `claim`, `reset`, `search`, `try` and `dlq mend`: what the pages do, at a prompt."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from common.clickhouse import Store, connect
from common.clock import monotonic_s
from common.records import DeadLetter
from common.redis_streams import Redis
from common.settings import Settings
from monitoring.cli.asking import Call, ask_redis
from monitoring.cli.dead_letters import letter_named
from monitoring.cli.deed import Json, act
from monitoring.cli.exits import FAILED, USAGE
from monitoring.cli.printing import console, show_json, table, tell
from monitoring.doing import groups, letters, resetting
from monitoring.doing.connections import doors_of, tried
from monitoring.doing.deeds import Deed
from monitoring.doing.listings import Listings

EXAMPLES = """
Examples:  fleet pause clickhouse_writer --topic trades  |  fleet resume clickhouse_writer  |
fleet reset clickhouse_writer trades --to -500  |  fleet claim book_processor "stream:{books:0}"  |
fleet search binance sol  |  fleet try okx
"""
PATIENCE_S = 30.0  # for what a reset waits for by itself: trades that are not written yet
Group = Annotated[str, typer.Argument(help="The consumer group.")]
Topic = Annotated[str, typer.Option("--topic", help="Only in this topic.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without, only say what it would touch.")]


def pause(ctx: typer.Context, group: Group, topic: Topic = "", as_json: Json = False) -> None:  # noqa: FBT002
    """Let a group rest, as soon as it has committed what it has in hand, until it is resumed."""
    act(ctx.obj, lambda redis: groups.pausing(redis, group, topic), yes=True, as_json=as_json)


def resume(ctx: typer.Context, group: Group, topic: Topic = "", as_json: Json = False) -> None:  # noqa: FBT002
    """Let a group go on where it has committed."""
    act(ctx.obj, lambda redis: groups.resuming(redis, group, topic), yes=True, as_json=as_json)


def claim(
    ctx: typer.Context,
    group: Group,
    shard: Annotated[str, typer.Argument(help="The stream's key.")],
    yes: Yes = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Take a shard from its owner, so that whose share it is takes it at once."""
    act(ctx.obj, lambda redis: groups.handing_over(redis, group, shard), yes=yes, as_json=as_json)


def reset(
    ctx: typer.Context,
    group: Group,
    topic: Annotated[str, typer.Argument(help="The topic.")],
    to: Annotated[str, typer.Option("--to", help="beginning, newest, 30m, 2026-11-20T10:00, +500 or -500.")],
    yes: Yes = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Put a group that rests elsewhere: what it reads again stands once all the same."""

    async def look(redis: Redis) -> Deed:
        deed = await resetting.resetting(redis, group, topic, to)
        deadline_s = monotonic_s() + PATIENCE_S
        while deed.carries and "not written yet" in deed.refusal and monotonic_s() < deadline_s:
            await asyncio.sleep(0.2)
            deed = await resetting.resetting(redis, group, topic, to, seen=dict(deed.carries)["seen"])
        return deed

    act(ctx.obj, look, yes=yes, as_json=as_json)


def search(
    ctx: typer.Context,
    venue: Annotated[str, typer.Argument(help="A venue, as in: fleet venues.")],
    text: Annotated[str, typer.Argument(help="A part of the symbol or of the name.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Search what a venue lists for something to record."""
    settings = _settings(ctx)
    program = _program(settings, venue)

    async def ask(redis: Redis) -> list[dict[str, str]]:
        listings = Listings(settings)
        found = await listings.search(redis, lambda: Store(connect(settings)), program, text)
        return [asdict(one) for one in found]

    rows = ask_redis(settings, ask)
    if as_json:
        show_json(rows)
    else:
        console().print(table("", ("symbol", "what it is", "state"), [tuple(row.values()) for row in rows]))
    if not rows:
        tell(f"{venue} lists nothing whose symbol or name has {text!r} in it")


def try_out(
    ctx: typer.Context,
    venue: Annotated[str, typer.Argument(help="A venue, as in: fleet venues.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Try whether a venue can be reached from here."""
    settings = _settings(ctx)
    found = asyncio.run(tried(settings, _program(settings, venue)))
    if not found:
        tell(f"{venue}: no address of it is set; see: fleet config")
        raise typer.Exit(USAGE)
    if as_json:
        show_json([asdict(one) for one in found])
    else:
        cells = [(one.what, one.words, f"{one.took_ms:.0f}") for one in found]
        console().print(table("", ("address", "", "ms>"), cells))
    if not all(one.is_well for one in found):
        raise typer.Exit(FAILED)


def mend(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(help="The letter's id, or its beginning.")],  # noqa: A002  the column's name
    payload: Annotated[Path, typer.Option("--payload", help="A file: what is put back instead.")],
    yes: Yes = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Put a dead letter back into its stream with other bytes, once."""
    found = letter_named(_settings(ctx), id)
    if len(found) != 1:
        tell(f"{len(found)} dead letters with an id that begins with {id}")
        raise typer.Exit(FAILED)
    letter = msgspec.convert(found[0], DeadLetter)
    call: Call = ctx.obj
    file = call.path(payload)
    if not file.is_file():
        tell(f"{file}: no such file")
        raise typer.Exit(USAGE)
    act(call, lambda redis: letters.mending(redis, letter, file.read_text(encoding="utf-8")), yes=yes, as_json=as_json)


def _settings(ctx: typer.Context) -> Settings:
    call: Call = ctx.obj
    return call.settings


def _program(settings: Settings, venue: str) -> str:
    program, known = f"{venue.removesuffix('_ingester')}_ingester", doors_of(settings)
    if program not in known:
        tell(f"no venue {venue}: expected one of {', '.join(name.removesuffix('_ingester') for name in known)}")
        raise typer.Exit(USAGE)
    return program
