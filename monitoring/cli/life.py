"""`fleet up`, `down` and `replay`: start.sh and stop.sh under the names that people look for."""

import os
from pathlib import Path
from typing import Annotated

import typer

from monitoring.cli.asking import Call
from monitoring.cli.exits import FAILED
from monitoring.cli.printing import tell

EXAMPLES = """
Examples:  fleet up  |  fleet up --demo  |  fleet replay okx.jsonl.gz --speed max  |  fleet down
"""
ROOT = Path(__file__).parents[2]


def up(
    ctx: typer.Context,
    demo: Annotated[bool, typer.Option("--demo", help="Simulated venues: no internet, no keys.")] = False,  # noqa: FBT002
) -> None:
    """Set up and start everything that is not running: the same as ./start.sh."""
    _become(ctx, "start.sh", *(["--demo"] if demo else []))


def replay(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Recorded sessions, see: fleet record.")],
    speed: Annotated[str, typer.Option("--speed", help="1 as it was, 10 ten times as fast, or max.")] = "1",
) -> None:
    """Start the fleet on recorded sessions, each by its venue's own protocol: the same as ./start.sh --replay."""
    call: Call = ctx.obj
    found = [call.path(file).absolute() for file in files]
    missing = [str(file) for file in found if not file.is_file()]
    if missing:
        tell(*(f"{file}: no such file" for file in missing))
        raise typer.Exit(FAILED)
    _become(ctx, "start.sh", "--replay", *map(str, found), "--speed", speed)


def down(ctx: typer.Context) -> None:
    """Drain, flush and stop everything: the same as ./stop.sh."""
    _become(ctx, "stop.sh")


def _become(ctx: typer.Context, script: str, *arguments: str) -> None:
    """Go on as a script of the root; its exit code is ours."""
    call: Call = ctx.obj
    os.execve(ROOT / script, (script, *arguments), dict(call.environ))  # noqa: S606  no shell, and a file of ours
