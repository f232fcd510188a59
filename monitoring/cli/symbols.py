"""`fleet symbols`: what an ingester records, changed while it runs."""

from typing import Annotated

import typer

from common.redis_streams import Redis
from monitoring.cli.asking import Call, ask_redis
from monitoring.cli.exits import USAGE
from monitoring.cli.printing import console, show_json, table, tell
from monitoring.cli.whose import person
from monitoring.doing.deeds import NotDone, do
from monitoring.doing.symbols import UNCHANGED, Wanted, choosing, listed
from monitoring.doing.symbols import chosen as chosen_by

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
    if call.settings.symbols_of(name) is None:
        tell(f"{program}: records no symbols of one's choice; see: fleet venues")
        raise typer.Exit(USAGE)
    if (chosen, add, remove) != (None, None, None):
        _choose(call, name, wanted_of(chosen, add, remove))
    now = ask_redis(call.settings, lambda redis: chosen_by(redis, call.settings, name))
    origin = "chosen while running" if now.is_chosen else "settings"
    rows = [{"program": name, "symbol": symbol, "from": origin} for symbol in now.symbols]
    if as_json:
        show_json(rows)
        return
    console().print(table("", ("program", "symbol", "from"), [tuple(row.values()) for row in rows]))


def wanted_of(chosen: str | None, add: str | None, remove: str | None) -> Wanted:
    """Return what the options ask for; nothing to be set means those of the settings, unless some are added."""
    only = None if chosen is None else listed(chosen)
    return Wanted(listed(add or ""), listed(remove or ""), only, settings=only == [] and not add)


def _choose(call: Call, program: str, wanted: Wanted) -> None:
    async def act(redis: Redis) -> None:
        deed = await choosing(redis, call.settings, program, wanted, person())
        if deed.refusal not in UNCHANGED:
            await do(redis, deed, person())

    try:
        ask_redis(call.settings, act)
    except NotDone as error:
        tell(f'{error}; --set "" brings back those of the settings')
        raise typer.Exit(USAGE) from error
