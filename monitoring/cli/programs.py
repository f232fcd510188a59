"""`fleet start`, `stop`, `restart` and `switch`: through the Supervisor that runs them, and written down who did it."""

from collections.abc import Awaitable
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

import typer

from common.errors import Unreachable
from common.redis_streams import Redis
from monitoring.cli.asking import Call
from monitoring.cli.deed import Json, act
from monitoring.doing.deeds import Deed, NotDone
from monitoring.doing.programs import Order, ordering
from monitoring.doing.venues import heeding, switching

EXAMPLES = """
Examples:  fleet restart okx_ingester  |  fleet stop book_processor_01  |  fleet start book_processor_01  |
fleet restart redis --yes  |  fleet switch okx off
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


def switch(
    ctx: typer.Context,
    venue: Annotated[str, typer.Argument(help="A venue's program, with or without _ingester, as in: fleet venues.")],
    way: Annotated[Literal["on", "off"], typer.Argument(help="What it is to be.")],
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Switch a venue off or on; off it stays down when the fleet is started again, until it is switched on."""
    address = _address(ctx.obj)
    act(ctx.obj, lambda redis: _asked(switching(redis, address, venue, way)), yes=True, as_json=as_json)


def _order(call: Call, order: Order, program: str, *, yes: bool, as_json: bool) -> None:
    address = _address(call)
    act(call, partial(_look, address=address, order=order, program=program, yes=yes), yes=True, as_json=as_json)


def _address(call: Call) -> str:
    address = call.environ.get(ADDRESS, "")
    if not address:
        raise Unreachable("supervisor", reason="nothing was started from this folder")
    return address


async def _look(redis: Redis, *, address: str, order: Order, program: str, yes: bool) -> Deed:
    deed = await _asked(ordering(address, order, program, is_page=False))
    all_stands_on_it = f"everything stands on it; --yes does it: {deed.words}" if deed.typed and not yes else ""
    return await heeding(redis, replace(deed, refusal=deed.refusal or all_stands_on_it))


async def _asked(look: Awaitable[Deed]) -> Deed:
    """Return a deed of Supervisor's, whose silence is told as such and not as one of Redis."""
    try:
        deed = await look
    except OSError as error:
        raise Unreachable("supervisor", reason=str(error)) from error

    async def run() -> str:
        try:
            return await deed.run()
        except OSError as error:  # of Supervisor, not of Redis
            raise NotDone(str(error)) from error

    return replace(deed, run=run)
