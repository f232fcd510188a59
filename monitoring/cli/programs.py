"""`fleet start`, `stop` and `restart`: programs through the Supervisor that runs them, and written down who did it."""

from dataclasses import replace
from functools import partial
from typing import Annotated

import typer

from common.errors import Unreachable
from common.redis_streams import Redis
from monitoring.cli.asking import Call
from monitoring.cli.deed import Json, act
from monitoring.doing.deeds import Deed, NotDone
from monitoring.doing.programs import Order, ordering

EXAMPLES = """
Examples:  fleet restart okx_ingester  |  fleet stop book_processor_01  |  fleet start book_processor_01  |
fleet restart redis --yes
"""
ADDRESS = "SUPERVISOR_SERVER_URL"  # as Supervisor names it to its children, and start.sh to those who come later
Program = Annotated[str, typer.Argument(help="A process, as in: fleet status.")]
Yes = Annotated[bool, typer.Option("--yes", help="Also a server that everything stands on.")]


def start(ctx: typer.Context, program: Program, as_json: Json = False) -> None:  # noqa: FBT002
    """Start a program that is down; it goes on where it was."""
    _order(ctx.obj, "start", program, yes=True, as_json=as_json)


def stop(ctx: typer.Context, program: Program, yes: Yes = False, as_json: Json = False) -> None:  # noqa: FBT002
    """Stop one program until it is started again; all of them: fleet down."""
    _order(ctx.obj, "stop", program, yes=yes, as_json=as_json)


def restart(ctx: typer.Context, program: Program, yes: Yes = False, as_json: Json = False) -> None:  # noqa: FBT002
    """Stop a program and start it again."""
    _order(ctx.obj, "restart", program, yes=yes, as_json=as_json)


def _order(call: Call, order: Order, program: str, *, yes: bool, as_json: bool) -> None:
    address = call.environ.get(ADDRESS, "")
    if not address:
        raise Unreachable("supervisor", reason="nothing was started from this folder")
    act(call, partial(_look, address=address, order=order, program=program, yes=yes), yes=True, as_json=as_json)


async def _look(_: Redis, *, address: str, order: Order, program: str, yes: bool) -> Deed:
    try:
        deed = await ordering(address, order, program, is_page=False)
    except OSError as error:
        raise Unreachable("supervisor", reason=str(error)) from error

    async def run() -> str:
        try:
            return await deed.run()
        except OSError as error:  # of Supervisor, not of Redis
            raise NotDone(str(error)) from error

    all_stands_on_it = f"everything stands on it; --yes does it: {deed.words}" if deed.typed and not yes else ""
    return replace(deed, run=run, refusal=deed.refusal or all_stands_on_it)
