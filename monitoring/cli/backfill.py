"""`fleet backfill`: have an ingester fetch again what is missing, while it runs, within its budget, each once."""

import asyncio
import json
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from common.clock import NS_PER_S
from common.codec import decode_lines
from common.records import FeedEvent
from common.redis_facts import words_of
from common.redis_readings import RedisReader
from common.redis_streams import Redis, all_shards
from common.settings import Settings
from common.streams import FEED_EVENTS
from common.wishes import Wish, backfill_key, wish_of
from monitoring.cli import exits
from monitoring.cli.asking import Call, ask_redis
from monitoring.cli.printing import console, number, show_json, table, tell
from monitoring.cli.times import Wrong
from monitoring.cli.whose import person
from monitoring.cli.wishing import under_way, wanted, wishing
from monitoring.cli.wishing_names import NAMED
from monitoring.doing.deeds import do

EXAMPLES = """
Examples:  fleet backfill binance --from 2h --symbol BTCUSDT  |
fleet backfill okx --from 2026-11-20T08:00 --to 2026-11-20T09:00  |  fleet backfill polygon --from 3h --to 2h  |
fleet backfill binance
"""
ASKED = ("binance", "okx", "upstox", *NAMED)
WHY_NOT = {
    "alpaca": "two programs, each with its own past: ask for alpaca_stocks or alpaca_crypto",
    "polymarket_clob": "the venue keeps no books, and of its trades only the newest 4,000 of a market, without asking "
    "by time and without what tells one from another; the fills themselves come from goldsky (until 2026-04-28) and "
    "polygon (since)",
    "polymarket": "markets have no past: every walk reads them all",
}
# What is counted: at the end what was had, on the way the ids looked for, or time where ids are not dense.
FETCHED = {"upstox": "candles", "goldsky": "fills", "polygon": "fills"}
WALKED = {"upstox": "minutes walked", **dict.fromkeys(NAMED, "seconds walked")}
OF_TRADES = "trades"
LOOK_EVERY_S = 0.5
NEWEST_EVENTS = 500


class Progressed(NamedTuple):
    """How far a wish is: of how many (trades, minutes or seconds: `WALKED`) how many are not looked for any more."""

    had: int
    total: int


def backfill(  # noqa: PLR0913, PLR0917  each is an option of the command
    ctx: typer.Context,
    venue: Annotated[str, typer.Argument(help=f"What can be asked for its past: {', '.join(ASKED)}.")],
    from_: Annotated[str | None, typer.Option("--from", help="e.g. 2h, 7d, or a time in UTC.")] = None,
    to: Annotated[str, typer.Option("--to", help="The same; nothing: now.")] = "now",
    symbol: Annotated[str | None, typer.Option("--symbol", help="One symbol; nothing: all of the ingester.")] = None,
    wait: Annotated[bool, typer.Option(help="Stay until all is fetched.")] = True,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """
    Fetch trades (of Upstox candles, of goldsky and polygon fills) that do not stand; without --from, show the rest.

    The ingester does it beside its stream. An interrupted command may be given again: it finds what is under way.
    """
    call: Call = ctx.obj
    name = venue.removesuffix("_ingester")
    if name not in ASKED:
        tell(f"{venue}: {WHY_NOT.get(name, 'no such venue; see: fleet venues')}")
        raise typer.Exit(exits.FAILED if name in WHY_NOT else exits.USAGE)
    settings = call.settings
    try:
        wishes = list(under_way(settings, name)) if from_ is None else _asked(settings, name, symbol, (from_, to))
    except Wrong as error:
        tell(str(error))
        raise typer.Exit(exits.USAGE) from error
    if wait and from_ is not None:
        _follow(settings, name, wishes)
    rows = _rows(settings, name, wishes)
    if as_json:
        show_json(rows)
    else:
        console().print(
            table("", ("wish", "symbol", "fetched>", "of>", "counted in", "state"), [_cells(row) for row in rows])
        )
    if any(row["state"] not in ("done", "under way", "waiting") for row in rows):
        raise typer.Exit(exits.DEGRADED)


def _asked(settings: Settings, venue: str, symbol: str | None, span: tuple[str, str]) -> list[Wish]:
    """Ask for what nobody has asked for yet, write that down, and return all that is meant."""
    wishes, new = wanted(settings, venue, symbol, span)
    words = ["--from", span[0], "--to", span[1], *(["--symbol", symbol] if symbol else [])]
    if new:
        ask_redis(settings, lambda redis: do(redis, wishing(redis, venue, new, words), person()))
    return wishes


def _follow(settings: Settings, venue: str, wishes: list[Wish]) -> None:
    """Show a bar for each wish until the ingester has taken all of them out of its set."""
    ask_redis(settings, lambda redis: _watch(redis, venue, wishes))


async def _watch(redis: Redis, venue: str, wishes: list[Wish]) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, console=console()) as progress:
        bars = {wish.id: progress.add_task(f"{wish.symbol or venue} waiting", total=None) for wish in wishes}
        while left := await _left(redis, venue) & set(bars):
            for name, how_far in (await _progress(redis, venue)).items():
                if name in left:
                    symbol = next(wish.symbol for wish in wishes if wish.id == name) or venue
                    words = (
                        f"{symbol}: {number(how_far.had)} of {number(how_far.total)} {counted_in(venue, is_over=False)}"
                    )
                    progress.update(bars[name], description=words, total=how_far.total, completed=how_far.had)
            await asyncio.sleep(LOOK_EVERY_S)


async def _left(redis: Redis, venue: str) -> set[str]:
    words = await words_of(redis, backfill_key(f"{venue}_ingester"))
    return {wish.id for wish in map(wish_of, words) if wish is not None}


async def _progress(redis: Redis, venue: str) -> dict[str, Progressed]:
    """Return how far each wish is, from what the ingester has written down about its holes."""
    is_by_time = venue in NAMED
    text = await redis.get(f"state:{venue}_{'wish' if is_by_time else 'backfill'}")
    unit = NS_PER_S if is_by_time else 1
    return {
        hole["wish"]: Progressed(hole["total"] - _length(hole["missing"]) // unit, hole["total"])
        for hole in (_holes_in(json.loads(text)) if text else ())
        if hole.get("wish") and hole.get("total")
    }


def _length(parts: list[tuple[int, int]]) -> int:
    return sum(stop - first for first, stop in parts)


def _holes_in(state: object) -> Iterator[dict[str, Any]]:
    """Yield every hole, whether a venue keeps them in one list or by symbol."""
    if isinstance(state, dict) and "missing" in state:
        yield state
    elif isinstance(state, dict | list):
        for part in state.values() if isinstance(state, dict) else state:
            yield from _holes_in(part)


def _rows(settings: Settings, venue: str, wishes: list[Wish]) -> list[dict[str, Any]]:
    async def ask(redis: Redis) -> list[dict[str, Any]]:
        left, progress, told = await _left(redis, venue), await _progress(redis, venue), await _told(redis, wishes)
        rows = [_row(wish, left, progress.get(wish.id), told.get(wish.id)) for wish in wishes]
        return [row | {"unit": counted_in(venue, is_over=row["state"] != "under way")} for row in rows]

    return ask_redis(settings, ask)


def counted_in(venue: str, *, is_over: bool) -> str:
    """Return what the figures of a wish count: on the way of Alpaca, Goldsky and Polygon it is time, not records."""
    return (FETCHED if is_over else WALKED).get(venue, OF_TRADES)


def _row(wish: Wish, left: set[str], progress: Progressed | None, event: FeedEvent | None) -> dict[str, Any]:
    row: dict[str, Any] = {"wish": wish.id, "symbol": wish.symbol or "all", "fetched": None, "total": None}
    if progress:
        row |= {"fetched": progress.had, "total": progress.total, "state": "under way"}
    elif wish.id in left and event is None:
        row["state"] = "waiting"
    elif event is None:
        row["state"] = "done"  # so long ago that what was told is no more in sight
    else:
        row |= {"fetched": int(event.found or 0), "total": int(event.expected or 0)}
        row["state"] = "done" if event.kind == "backfilled" else event.detail
    return row


async def _told(redis: Redis, wishes: list[Wish]) -> dict[str, FeedEvent]:
    """Return what was told of each wish last."""
    reader, found = RedisReader(redis), {}
    for shard in await all_shards(redis):
        if shard.stream is FEED_EVENTS:
            for entry in reversed(await reader.newest(shard.key, NEWEST_EVENTS)):
                for event in decode_lines(entry.data, FeedEvent):
                    name = next((wish.id for wish in wishes if f"wish {wish.id}" in event.detail), None)
                    if name is not None:
                        found[name] = event
    return found


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return row["wish"], row["symbol"], number(row["fetched"]), number(row["total"]), row["unit"], row["state"]
