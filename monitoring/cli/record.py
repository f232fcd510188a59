"""`fleet record`: keep what a venue says byte for byte, in files that the simulator replays."""

from pathlib import Path
from typing import Annotated, Any

import typer

from common.clock import now_ns
from common.readings import ProgramReading
from common.redis_facts import add_words, remove_words, words_of
from common.redis_readings import RedisReader
from common.redis_streams import Redis
from common.settings import Settings
from common.streams import RECORDING
from monitoring.cli.asking import Call, ask_redis
from monitoring.cli.exits import USAGE
from monitoring.cli.printing import console, mebibytes, show_json, table, tell
from monitoring.cli.whose import person
from monitoring.doing.deeds import Deed, do
from monitoring.prompts import fleet

EXAMPLES = """
Examples:  fleet record okx  |  fleet record okx --stop  |  fleet record  |
./start.sh --replay data/recordings/okx_ingester/*.zst
"""


def record(
    ctx: typer.Context,
    venue: Annotated[str | None, typer.Argument(help="A venue or its program; without one, list recordings.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End the recording.")] = False,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Begin or end the recording of a venue; it takes effect within two seconds, without a restart."""
    call: Call = ctx.obj
    if venue is not None:
        programs = ask_redis(call.settings, lambda redis: _programs(redis, venue))
        if not programs:
            tell(f"{venue}: no such venue or program; see: fleet venues")
            raise typer.Exit(USAGE)
        names = [one.program for one in programs]
        ask_redis(call.settings, lambda redis: _switch(redis, venue, names, is_on=not stop))
        tell(*(f"{one.program}: {'no longer recorded' if stop else _from_when(one)}" for one in programs))
    rows = _rows(call.settings, ask_redis(call.settings, lambda redis: words_of(redis, RECORDING)))
    if as_json:
        show_json(rows)
        return
    cells = [
        (row["program"], "yes" if row["is_on"] else "no", str(row["files"]), mebibytes(row["bytes"]), row["folder"])
        for row in rows
    ]
    console().print(table("", ("program", "recording", "files>", "MiB>", "folder"), cells))


async def _programs(redis: Redis, venue: str) -> list[ProgramReading]:
    reading = await RedisReader(redis).read(now_ns())
    declared = [one for one in reading.programs or () if one.kind == "ingester"]
    return [one for one in declared if venue in (one.venue, one.program, one.program.removesuffix("_ingester"))]


def _from_when(program: ProgramReading) -> str:
    return "recorded from now on" if program.enabled else f"recorded as soon as it runs; it is off: {program.why}"


async def _switch(redis: Redis, venue: str, programs: list[str], *, is_on: bool) -> None:
    """Begin or end a recording, and write it down."""
    before = await words_of(redis, RECORDING)

    async def run() -> str:
        await (add_words if is_on else remove_words)(redis, RECORDING, programs)
        return "recorded" if is_on else "no longer recorded"

    deed = Deed(
        action="record" if is_on else "end recording",
        subject=", ".join(programs),
        command=fleet("record", venue, *([] if is_on else ["--stop"])),
        run=run,
        before=", ".join(f"{one} {'recorded' if one in before else 'not recorded'}" for one in programs),
    )
    await do(redis, deed, person())


def _rows(settings: Settings, recording: list[str]) -> list[dict[str, Any]]:
    root = settings.data_dir / "recordings"
    folders = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
    return [
        _row(root / name, is_on=name in recording or name in settings.record)
        for name in sorted({*folders, *recording, *settings.record})
    ]


def _row(folder: Path, *, is_on: bool) -> dict[str, Any]:
    sizes = [file.stat().st_size for file in folder.glob("*.zst")]
    return {"program": folder.name, "is_on": is_on, "files": len(sizes), "bytes": sum(sizes), "folder": str(folder)}
