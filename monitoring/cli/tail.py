"""`fleet tail`: look at what a stream holds. It reads past every group and joins none."""

import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Annotated, NamedTuple

import msgspec
import typer

from common.errors import Unreachable
from common.redis_streams import Redis, Shard, all_shards
from common.streams import BY_TOPIC
from monitoring.cli import exits
from monitoring.cli.asking import Call, ask_redis
from monitoring.cli.printing import tell
from monitoring.entries import fits

EXAMPLES = """
Examples:  fleet tail trades -n 5  |  fleet tail books -f --where symbol=BTCUSDT  |  fleet tail trades --json
"""
PAGE_ENTRIES = 100
MOST_ENTRIES = 5_000  # of each shard that are looked through for what was asked
BLOCK_MS = 1_000

Entries = Sequence[tuple[bytes, Mapping[bytes, bytes]]]


class Line(NamedTuple):
    """One record where it lies."""

    id: str
    key: str
    offset: int
    text: bytes


class Newest(NamedTuple):
    """What was found in a shard, oldest first; how many entries were looked through, and whether these were all."""

    lines: list[Line]
    seen: int
    is_all: bool


def tail(
    ctx: typer.Context,
    stream: Annotated[str, typer.Argument(help="A topic (trades), or the key of a stream or of one of its shards.")],
    records: Annotated[int, typer.Option("-n", "--records", min=0, help="How many of the newest records.")] = 20,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes.")] = False,  # noqa: FBT002
    where: Annotated[list[str] | None, typer.Option(help="Only records whose field is so: symbol=BTCUSDT.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line, with its place.")] = False,  # noqa: FBT002
) -> None:
    """Print the newest records of a stream, oldest first, one a line."""
    call: Call = ctx.obj
    conditions = [_condition(text) for text in where or ()]
    if stream.removeprefix("stream:").strip("{}").partition(":")[0] not in BY_TOPIC:
        tell(f"no stream {stream}: expected one of {', '.join(BY_TOPIC)}")
        raise typer.Exit(exits.USAGE)

    async def run(redis: Redis) -> None:
        shards = await _shards(redis, stream)
        last_ids = {shard.key: await _last_id(redis, shard.key) for shard in shards}
        found = [await _newest(redis, shard.key, records, conditions) for shard in shards]
        lines = sorted((line for newest in found for line in newest.lines), key=_place)
        _print(lines[-records:] if records else [], as_json=as_json)
        if len(lines) < records and (conditions or not lines):
            tell(_how_far(found, is_none=not lines))
        if follow:
            async for lines in _coming(redis, last_ids):
                _print([line for line in lines if _fits(line, conditions)], as_json=as_json)

    ask_redis(call.settings, run)


async def _shards(redis: Redis, stream: str) -> list[Shard]:
    name = stream.removeprefix("stream:")
    found = [
        shard for shard in await all_shards(redis) if name in (shard.stream.topic, shard.key.removeprefix("stream:"))
    ]
    if not found:
        raise Unreachable(stream, reason="nothing has been written to it yet")
    return found


async def _last_id(redis: Redis, key: str) -> str:
    newest: Entries = await redis.xrevrange(key, count=1)
    return newest[0][0].decode() if newest else "0-0"


async def _newest(redis: Redis, key: str, records: int, conditions: Sequence[tuple[str, str]]) -> Newest:
    """Return up to `records` lines that fit, the newest of a shard."""
    found: list[Line] = []
    before, seen, is_all = "+", 0, False
    while len(found) < records and seen < MOST_ENTRIES and not is_all:
        entries: Entries = await redis.xrevrange(key, max=before, count=PAGE_ENTRIES)
        for entry_id, fields in entries:
            found[:0] = [line for line in _lines(key, entry_id, fields) if _fits(line, conditions)]
        is_all = len(entries) < PAGE_ENTRIES
        before, seen = f"({entries[-1][0].decode()}" if entries else before, seen + len(entries)
    return Newest(found[-records:] if records else [], seen, is_all)


def _how_far(found: Sequence[Newest], *, is_none: bool) -> str:
    """Return what was looked through for fewer records than were asked for."""
    seen = sum(newest.seen for newest in found)
    if not seen:
        return "it holds nothing now: what every group has read is trimmed after its retention"
    rest = "" if all(newest.is_all for newest in found) else "; older ones were not looked through"
    return f"{'none fits' if is_none else 'no more fit'} in the newest {seen:,} entries{rest}"


async def _coming(redis: Redis, last_ids: dict[str, str]) -> AsyncIterator[list[Line]]:
    while True:
        for key, entries in await redis.xread(last_ids, count=PAGE_ENTRIES, block=BLOCK_MS) or ():
            last_ids[key.decode()] = entries[-1][0].decode()
            yield [line for entry_id, fields in entries for line in _lines(key.decode(), entry_id, fields)]


def _lines(key: str, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Iterator[Line]:
    first = int(fields.get(b"o", b"-1"))
    for number, text in enumerate(fields.get(b"data", b"").split(b"\n")):
        yield Line(entry_id.decode(), key, first + number, text)


def _place(line: Line) -> tuple[int, int, str, int]:
    milliseconds, _, number = line.id.partition("-")
    return int(milliseconds), int(number), line.key, line.offset


def _condition(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"expected FIELD=VALUE, found {text!r}", param_hint="--where")
    return name, value


def _fits(line: Line, conditions: Sequence[tuple[str, str]]) -> bool:
    return all(fits(line.text, wanted) for wanted in conditions)


def _record(line: Line) -> object:
    try:
        return msgspec.json.decode(line.text)
    except msgspec.DecodeError:
        return line.text.decode(errors="replace")


def _print(lines: Sequence[Line], *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            place = {"stream": line.key, "id": line.id, "offset": line.offset, "record": _record(line)}
            sys.stdout.write(msgspec.json.encode(place).decode() + "\n")
        else:
            sys.stdout.write(f"{line.id} {line.offset} {line.text.decode(errors='replace')}\n")
    sys.stdout.flush()
