"""`fleet dlq redrive` and `fleet dlq drop`: dead letters back into their stream, or out of sight; once each."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
import typer

from common.records import DeadLetter
from common.redis_streams import Redis
from common.settling import Outcome
from common.settling import drop as drop_letter
from common.settling import redrive as redrive_letter
from monitoring.cli import exits
from monitoring.cli.asking import Call, ask_redis
from monitoring.cli.dead_letters import LETTERS, letters_where
from monitoring.cli.printing import console, number, show_json, table, tell
from monitoring.cli.whose import person
from monitoring.doing.deeds import write_down
from monitoring.doing.letters import Which, settling

CHOSEN = (
    LETTERS
    + "WHERE startsWith(id, {id:String}) AND position(reason, {reason:String}) > 0 ORDER BY received_time, offset"
)
Settle = Callable[[Redis, DeadLetter], Awaitable[Outcome]]

Id = Annotated[str, typer.Argument(help="The letter's id, or its beginning.")]
Reason = Annotated[str, typer.Option("--reason", help="Those whose reason has these words.")]
Every = Annotated[bool, typer.Option("--all", help="All of them.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def redrive(ctx: typer.Context, id: Id = "", reason: Reason = "", every: Every = False, as_json: Json = False) -> None:  # noqa: A002, FBT002  the column's name; typer's flags
    """Put dead letters back into their stream, for the program that set them aside; each goes back once."""
    _settle(ctx.obj, (id, reason), redrive_letter, every=every, as_json=as_json)


def drop(ctx: typer.Context, id: Id = "", reason: Reason = "", every: Every = False, as_json: Json = False) -> None:  # noqa: A002, FBT002  the column's name; typer's flags
    """Mark dead letters as of no more interest; their rows stay."""
    _settle(ctx.obj, (id, reason), drop_letter, every=every, as_json=as_json)


def _settle(call: Call, chosen: tuple[str, str], settle: Settle, *, every: bool, as_json: bool) -> None:
    letter_id, reason = chosen
    if [bool(letter_id), bool(reason), every].count(True) != 1:
        tell("expected one of an id, --reason and --all")
        raise typer.Exit(exits.USAGE)
    found = letters_where(call.settings, CHOSEN, {"id": letter_id, "reason": reason})
    letters = [
        msgspec.convert(letter, DeadLetter)
        for letter in reversed(found)  # the oldest first, as they came
        if letter["id"].startswith(letter_id) and reason in letter["reason"]
    ]
    if letter_id and len(letters) != 1:
        tell(f"{len(letters)} dead letters with an id that begins with {letter_id}")
        raise typer.Exit(exits.FAILED)
    which = Which(letter_id, reason)
    _show(ask_redis(call.settings, lambda redis: _each(redis, letters, settle, which)), as_json=as_json)


async def _each(redis: Redis, letters: list[DeadLetter], settle: Settle, which: Which) -> Counter[tuple[str, str]]:
    outcomes: Counter[tuple[str, str]] = Counter(
        [(letter.stream or letter.venue, await settle(redis, letter)) for letter in letters]
    )
    deed = settling(redis, "redrive" if settle is redrive_letter else "drop", which, letters)
    after = ", ".join(f"{count:,} {how}" for (_, how), count in outcomes.items())
    await write_down(redis, deed, person(), after=after, outcome="done")
    return outcomes


def _show(outcomes: Counter[tuple[str, str]], *, as_json: bool) -> None:
    if as_json:
        show_json([{"where": where, "outcome": how, "letters": count} for (where, how), count in outcomes.items()])
        return
    cells = [(where, how, number(count)) for (where, how), count in sorted(outcomes.items())]
    console().print(table("", ("where", "outcome", "letters>"), cells))
