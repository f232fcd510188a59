"""`fleet symbols`: what an ingester records, changed while it runs."""

from typing import Annotated

import typer

from common.redis_facts import words_of
from common.redis_streams import Redis
from common.streams import symbols_key
from monitoring.cli.asking import Call, ask_redis
from monitoring.cli.exits import USAGE
from monitoring.cli.printing import console, show_json, table, tell

EXAMPLES = """
Examples:  fleet symbols okx  |  fleet symbols binance --set BTCUSDT,SOLUSDT  |  fleet symbols okx --add XRP-USDT  |
fleet symbols okx --set ""
"""


def symbols(
    ctx: typer.Context,
    program: Annotated[str, typer.Argument(help="An ingester, with or without _ingester.")],
    chosen: Annotated[
        str | None,
        typer.Option("--set", metavar="A,B", help="Record these and no others; nothing: those of the settings."),
    ] = None,
    add: Annotated[str | None, typer.Option("--add", metavar="A,B", help="Record these as well.")] = None,
    remove: Annotated[str | None, typer.Option("--remove", metavar="A,B", help="No longer record these.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show or change the symbols of an ingester; a change takes effect within five seconds, without a restart."""
    call: Call = ctx.obj
    name = program.removesuffix("_ingester") + "_ingester"
    configured = call.settings.symbols_of(name)
    if configured is None:
        tell(f"{program}: records no symbols of one's choice; see: fleet venues")
        raise typer.Exit(USAGE)
    held = ask_redis(call.settings, lambda redis: words_of(redis, symbols_key(name)))
    wanted = _wanted(held or list(configured), chosen, add, remove)
    if wanted == [] and chosen != "":
        tell('an ingester without symbols records nothing: stop it instead; --set "" brings back those of the settings')
        raise typer.Exit(USAGE)
    if wanted is not None:
        ask_redis(call.settings, lambda redis: _replace(redis, symbols_key(name), wanted))
        held = wanted
    origin = "chosen while running" if held else "settings"
    rows = [{"program": name, "symbol": symbol, "from": origin} for symbol in held or configured]
    if as_json:
        show_json(rows)
        return
    console().print(table("", ("program", "symbol", "from"), [tuple(row.values()) for row in rows]))


def _wanted(now: list[str], chosen: str | None, add: str | None, remove: str | None) -> list[str] | None:
    """Return the new choice, None when nothing is to change."""
    if chosen is None and add is None and remove is None:
        return None
    kept = _names(chosen) if chosen is not None else now
    gone = set(_names(remove))
    return [symbol for symbol in dict.fromkeys([*kept, *_names(add)]) if symbol not in gone]


def _names(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


async def _replace(redis: Redis, key: str, words: list[str]) -> None:
    """Have a set hold these words, in one step: an ingester must never see half of a choice."""
    async with redis.pipeline(transaction=True) as pipe:
        pipe.delete(key)
        if words:
            pipe.sadd(key, *words)
        await pipe.execute()
