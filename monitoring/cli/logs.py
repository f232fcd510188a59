"""`fleet logs`: the logs of all programs as one, in order of time."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from monitoring.cli import exits
from monitoring.cli.asking import Call
from monitoring.cli.log_lines import LogLine, events_of
from monitoring.cli.printing import console, tell

EXAMPLES = """
Examples:  fleet logs  |  fleet logs clickhouse_writer -n 50  |  fleet logs -f --level warning  |
fleet logs --json | jq 'select(.level == "error")'
"""
TAIL_BYTES = 2**20  # of each log that are looked through
POLL_S = 0.25
STYLES = {"debug": "dim", "info": "green", "warning": "yellow", "error": "bold red", "critical": "bold red reverse"}
Level = Literal["debug", "info", "warning", "error"]


def logs(
    ctx: typer.Context,
    program: Annotated[str, typer.Argument(help="Only this program, or this process of it.")] = "",
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the newest events.")] = 30,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes.")] = False,  # noqa: FBT002
    level: Annotated[Level, typer.Option("--level", help="Only events as grave as this.")] = "debug",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,  # noqa: FBT002
) -> None:
    """Print the newest events of all logs, oldest first; times are UTC."""
    call: Call = ctx.obj
    folder = call.settings.log_dir
    files = [Log(file) for file in sorted(folder.glob("*.log")) if _is_meant(file.stem, program)]
    if not files:
        there = ", ".join(file.stem for file in sorted(folder.glob("*.log")))
        tell(f"no log of {program or 'anything'} in {folder}" + (f": there are {there}" if there else "; ./start.sh"))
        raise typer.Exit(exits.USAGE if there else exits.NOT_RUNNING)
    found = _in_order(files, level)
    _print(found[-lines:] if lines else [], as_json=as_json)
    while follow:
        time.sleep(POLL_S)
        _print(_in_order(files, level), as_json=as_json)


@dataclass
class Log:
    """A log as far as it has been read; it may be rotated away under its name at any time."""

    file: Path
    inode: int = 0
    position: int = -1  # before the first reading: near its end

    def events(self) -> list[LogLine]:
        """Return what has come since the last time."""
        try:
            with self.file.open("rb") as opened:
                return list(events_of(self._texts(self._new(opened)), self.file.stem))
        except FileNotFoundError:  # just rotated
            return []

    def _new(self, opened: BinaryIO) -> bytes:
        stat = os.fstat(opened.fileno())
        first = self.position < 0
        if first:
            self.position = max(0, stat.st_size - TAIL_BYTES)
        elif stat.st_ino != self.inode or stat.st_size < self.position:
            self.position = 0
        self.inode = stat.st_ino
        opened.seek(self.position)
        whole, _, _ = opened.read().rpartition(b"\n")
        skipped = first and self.position > 0
        self.position += len(whole) + 1 if whole else 0
        return whole.partition(b"\n")[2] if skipped else whole

    def _texts(self, whole: bytes) -> Iterator[str]:
        return (line for line in whole.decode(errors="replace").split("\n") if line.strip())


def _is_meant(name: str, program: str) -> bool:
    return program in ("", name, name.removesuffix("_ingester")) or (
        name.startswith(f"{program}_") and name.removeprefix(f"{program}_").isdigit()
    )


def _in_order(files: Sequence[Log], level: str) -> list[LogLine]:
    found = [line for file in files for line in file.events() if line.is_at_least(level)]
    return sorted(found, key=lambda line: line.time)


def _print(found: Sequence[LogLine], *, as_json: bool) -> None:
    if as_json:
        for line in found:
            sys.stdout.write(msgspec.json.encode(line.as_dict()).decode() + "\n")
        sys.stdout.flush()
        return
    out = console()
    for line in found:
        _show(line, out)


def _show(line: LogLine, out: Console) -> None:
    fields = " ".join(f"{name}={_word(value)}" for name, value in line.fields.items())
    parts = [
        (f"{line.time[:10]} {line.time[11:23]:<12} ", "dim"),
        (f"{line.program:<24} ", "cyan"),
        (f"{line.level:<8} ", STYLES[line.level]),
        (f"{line.event} ", "bold" if line.is_at_least("warning") else ""),
        (fields, "dim"),
    ]
    out.print(Text.assemble(*parts), soft_wrap=True)
    for text in line.more:
        out.print(Text(f"    {text}", style="dim"), soft_wrap=True)


def _word(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return f'"{text}"' if " " in text else text
