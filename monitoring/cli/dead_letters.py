"""`fleet dlq`: what could not be read or stored, from the table and from what has not reached it yet."""

import base64
import sys
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import typer

from common.clock import utc_text
from common.codec import decode_lines
from common.errors import TickfleetError, Unreachable, UnreadableRecord
from common.records import DeadLetter
from common.redis_streams import Redis
from common.settings import Settings
from common.settling import settled as settled_letters
from common.streams import DEAD_LETTERS
from monitoring.cli import exits
from monitoring.cli.asking import Call, ask_clickhouse, ask_redis
from monitoring.cli.exits import words_of
from monitoring.cli.printing import console, number, show_json, table, tell

EXAMPLES = """
Examples:  fleet dlq ls  |  fleet dlq ls --program binance_ingester  |  fleet dlq show 3f2a --payload > frame.bin
           fleet dlq redrive 3f2a  |  fleet dlq redrive --reason "last_price:" --dry-run  |  fleet dlq drop --all
"""
SHORT = 12  # characters of an id or of a payload that a table shows
PAYLOAD_SHOWN = 80
LETTERS = """
SELECT id, venue, symbol, toUnixTimestamp64Nano(received_time) AS received_ns, stream, program, reason, attempts,
       payload, encoding
FROM dead_letters
"""
NEWEST = (
    LETTERS + "WHERE {program:String} IN ('', program) ORDER BY received_time DESC, offset DESC LIMIT {limit:UInt32}"
)
NAMED = LETTERS + "WHERE startsWith(id, {id:String}) ORDER BY received_time DESC, offset DESC LIMIT 10"

Letter = dict[str, Any]


def ls(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="How many of the newest.")] = 20,
    program: Annotated[str, typer.Option(help="Only those of this program.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """List the newest dead letters, newest first."""
    call: Call = ctx.obj
    wanted = {"program": program, "limit": limit}
    found, is_whole = letters_where(call.settings, NEWEST, wanted)
    letters = [letter for letter in found if program in ("", letter["program"])][:limit]
    if as_json:
        show_json(letters)
    elif letters:
        _list(letters, _settled(call.settings))
    else:
        tell(f"no dead letters{f' of {program}' if program else ''}{'' if is_whole else ' where it could be looked'}")
    if not is_whole:
        raise typer.Exit(exits.DEGRADED)


def _list(letters: list[Letter], settled: dict[str, str]) -> None:
    columns = ("id", "received", "program", "where", "tries>", "reason", "payload", "settled")
    cells = [
        (
            letter["id"][:SHORT],
            utc_text(letter["received_ns"])[:19],
            letter["program"],
            letter["stream"] or f"{letter['venue']} {letter['symbol']}".strip(),
            number(letter["attempts"]),
            letter["reason"],
            repr(letter["payload"][:PAYLOAD_SHOWN])[1:-1],
            settled.get(letter["id"], "").partition(" ")[0],
        )
        for letter in letters
    ]
    console().print(table("", columns, cells))


def show(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(help="The letter's id, or its beginning.")],  # noqa: A002  the column's name
    payload: Annotated[bool, typer.Option("--payload", help="Write the bytes as they were, nothing else.")] = False,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,  # noqa: FBT002
) -> None:
    """Show one dead letter, whole."""
    call: Call = ctx.obj
    found = letter_named(call.settings, id)
    if len(found) != 1:
        known = (
            "no dead letter" if not found else f"{len(found)} dead letters ({', '.join(one['id'] for one in found)})"
        )
        tell(f"{known} with an id that begins with {id}")
        raise typer.Exit(exits.FAILED)
    letter = found[0]
    if payload:
        sys.stdout.flush()
        sys.stdout.buffer.write(_bytes(letter))
    elif as_json:
        show_json(letter)
    else:
        facts = {**letter, "received": utc_text(letter["received_ns"])}
        lines = [f"{name:<12} {facts[name]}" for name in facts if name not in ("payload", "received_ns")]
        sys.stdout.write("\n".join(lines) + "\n\n" + _bytes(letter).decode(errors="backslashreplace") + "\n")


def _settled(settings: Settings) -> dict[str, str]:
    try:
        return ask_redis(settings, settled_letters)
    except Unreachable:  # the letters themselves were told with a word about it
        return {}


def _bytes(letter: Letter) -> bytes:
    text = str(letter["payload"])
    return base64.b64decode(text) if letter["encoding"] == "base64" else text.encode()


def letter_named(settings: Settings, name: str) -> list[Letter]:
    """Return the letters whose id begins so: one, if it is a good name."""
    return [letter for letter in letters_where(settings, NAMED, {"id": name})[0] if letter["id"].startswith(name)]


def letters_where(settings: Settings, sql: str, parameters: dict[str, Any]) -> tuple[list[Letter], bool]:
    """Return what stream and table hold, each letter once, and whether both answered; which did not is told."""
    faults: list[TickfleetError] = []
    found: dict[str, Letter] = {}
    sources: tuple[Callable[[], list[Letter]], ...] = (
        lambda: ask_redis(settings, _in_stream),
        lambda: ask_clickhouse(settings, sql, parameters).to_dicts(),
    )
    for source in sources:
        try:
            found |= {letter["id"]: letter for letter in source()}
        except TickfleetError as error:
            faults.append(error)
    if len(faults) > 1:
        raise faults[0]
    for fault in faults:
        tell(*words_of(fault))
    return sorted(found.values(), key=lambda letter: letter["received_ns"], reverse=True), not faults


async def _in_stream(redis: Redis) -> list[Letter]:
    letters: list[Letter] = []
    for _, fields in await redis.xrevrange(DEAD_LETTERS.key(0, 1), count=200):
        try:
            records = decode_lines(fields.get(b"data", b""), DeadLetter)
        except UnreadableRecord as error:
            tell(f"{DEAD_LETTERS.key(0, 1)} holds an entry that is no dead letter: {error.reason}")
            continue
        letters += [msgspec.structs.asdict(record) for record in records]
    for letter in letters:
        del letter["sequence"]
    return letters
