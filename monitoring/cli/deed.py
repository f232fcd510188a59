"""A deed at a prompt: what it would touch, and with --yes the doing; for people, or as JSON."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from common.redis_streams import Redis
from monitoring.cli.asking import Call, ask_redis
from monitoring.cli.exits import FAILED
from monitoring.cli.printing import console, show_json, table, tell
from monitoring.cli.whose import person
from monitoring.doing.deeds import Deed, NotDone, do

Look = Callable[[Redis], Awaitable[Deed]]
Json = Annotated[bool, typer.Option("--json", help="Print a JSON object: what it touches, and what was done.")]


def act(call: Call, look: Look, *, yes: bool, as_json: bool) -> None:
    """Say what a deed would touch, and with `yes` do it and write it down; exit 1 where that is refused."""

    async def run(redis: Redis) -> tuple[Deed, str, str]:
        deed = await look(redis)
        return (deed, *(await tried(redis, deed) if yes else ("", deed.refusal)))

    try:
        deed, after, refused = ask_redis(call.settings, run)
    except NotDone as error:
        tell(f"not done: {error}")
        raise typer.Exit(FAILED) from error
    if as_json:
        show_json(facts_of(deed, after=after, refused=refused, is_done=yes and not refused))
    else:
        console().print(table("", ("what", "how"), deed.touches))
    if not yes:
        tell(f"it would be refused now: {refused}" if refused else deed.words, "nothing was changed; --yes does it")
    elif refused:
        tell(f"not done: {refused}")
        raise typer.Exit(FAILED)
    elif after:
        tell(after)


async def tried(redis: Redis, deed: Deed) -> tuple[str, str]:
    """Return what stands there since a deed, and why it was not done: one of the two is empty."""
    try:
        return await do(redis, deed, person()), ""
    except NotDone as error:
        return "", str(error)


def facts_of(deed: Deed, *, after: str, refused: str, is_done: bool) -> dict[str, Any]:
    """Return a deed as JSON has it."""
    return {
        "what": f"{deed.action} {deed.subject}",
        "touches": [{"what": what, "how": how} for what, how in deed.touches],
        "words": deed.words,
        "done": is_done,
        "refused": refused,
        "after": after,
    }
