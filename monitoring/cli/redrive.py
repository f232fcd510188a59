"""`fleet dlq redrive` and `fleet dlq drop`: dead letters back into their stream, or out of sight; once each."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal

import msgspec
import typer

from common.records import DeadLetter
from common.redis_streams import Redis
from common.settling import settled
from monitoring.cli import exits
from monitoring.cli.asking import Call, ask_redis
from monitoring.cli.dead_letters import LETTERS, letters_where
from monitoring.cli.printing import console, number, show_json, table, tell
from monitoring.cli.whose import person
from monitoring.doing.deeds import do
from monitoring.doing.letters import SETTLE, Which, settling
from monitoring.views.letters_reading import KIND, kind_of

CHOSEN = f"""{LETTERS}
WHERE startsWith(id, {{id:String}}) AND position(reason, {{reason:String}}) > 0
  AND ({{kind:String}} = '' OR {KIND} = {{kind:String}}) ORDER BY received_time, offset
"""
How = Literal["redrive", "drop"]

Id = Annotated[str, typer.Argument(help="The letter's id, or its beginning.")]
Reason = Annotated[str, typer.Option("--reason", help="Those whose reason has these words.")]
Kind = Annotated[
    str, typer.Option("--kind", help="Those whose reason is this, its numbers written as #: as pages group them.")
]
Every = Annotated[bool, typer.Option("--all", help="All of them.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Only say what it would touch.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def _command(how: How, words: str) -> Callable[..., None]:
    """Return the command that does this to the letters that are meant."""

    def run(  # noqa: PLR0913, PLR0917  each is an option of the command
        ctx: typer.Context,
        id: Id = "",  # noqa: A002  the column's name
        reason: Reason = "",
        kind: Kind = "",
        every: Every = False,  # noqa: FBT002
        dry_run: Dry = False,  # noqa: FBT002
        as_json: Json = False,  # noqa: FBT002
    ) -> None:
        letters = _letters(ctx.obj, id, reason, kind, every=every)
        _settle(ctx.obj, letters, how, Which(id, kind, reason), dry_run=dry_run, as_json=as_json)

    run.__doc__ = words
    return run


redrive = _command(
    "redrive", "Put dead letters back into their stream, for the program that set them aside; each goes back once."
)
drop = _command("drop", "Mark dead letters as of no more interest; their rows stay.")


def _letters(call: Call, letter_id: str, reason: str, kind: str, *, every: bool) -> list[DeadLetter]:
    """Return the letters that are meant, the oldest first, as they came."""
    if [bool(letter_id), bool(reason), bool(kind), every].count(True) != 1:
        tell("expected one of an id, --reason, --kind and --all")
        raise typer.Exit(exits.USAGE)
    found, is_whole = letters_where(call.settings, CHOSEN, {"id": letter_id, "reason": reason, "kind": kind})
    if not (is_whole or letter_id):
        tell("not done: which letters are meant is not known while a server is away")
        raise typer.Exit(exits.NOT_RUNNING)
    letters = [
        msgspec.convert(letter, DeadLetter)
        for letter in reversed(found)
        if letter["id"].startswith(letter_id) and reason in letter["reason"] and kind in ("", kind_of(letter["reason"]))
    ]
    if letter_id and len(letters) != 1:
        tell(f"{len(letters)} dead letters with an id that begins with {letter_id}")
        raise typer.Exit(exits.FAILED)
    return letters


def _settle(call: Call, letters: list[DeadLetter], how: How, which: Which, *, dry_run: bool, as_json: bool) -> None:
    if not letters:
        tell("no dead letter is meant by that")
    if letters and not dry_run:
        _show(ask_redis(call.settings, lambda redis: _each(redis, letters, how, which)), as_json=as_json)
        return
    before = ask_redis(call.settings, settled) if letters else {}
    _show(Counter((_where(one), "settled before" if one.id in before else "open") for one in letters), as_json=as_json)
    tell("nothing was changed")


def _where(letter: DeadLetter) -> str:
    return letter.stream or letter.venue


async def _each(redis: Redis, letters: list[DeadLetter], how: How, which: Which) -> Counter[tuple[str, str]]:
    outcomes: Counter[tuple[str, str]] = Counter()

    async def run() -> str:
        for letter in letters:
            outcomes[_where(letter), await SETTLE[how](redis, letter)] += 1
        return ", ".join(f"{count:,} {outcome}" for (_, outcome), count in outcomes.items())

    await do(redis, replace(settling(redis, how, which, letters), run=run), person())
    return outcomes


def _show(outcomes: Counter[tuple[str, str]], *, as_json: bool) -> None:
    if as_json:
        show_json([{"where": where, "outcome": how, "letters": count} for (where, how), count in outcomes.items()])
        return
    cells = [(where, how, number(count)) for (where, how), count in sorted(outcomes.items())]
    console().print(table("", ("where", "outcome", "letters>"), cells))
