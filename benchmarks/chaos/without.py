"""
`python -m benchmarks.chaos.without PART PACKAGE PROGRAM [PROCESS]`: a program of the fleet with a part of it missing.

It shows that a chaos run would notice. The product has no such switch: its classes are changed here, before it runs.
"""

import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import common.redis_streams
import ingesters.__main__ as ingesters_main
import processors.gathering
from common.inbox import Inbox
from common.settings import Settings
from processors.targets import TableTarget

REFUSALS = ("FENCED", "MISMATCH", "DUP")


async def _not_named(*_: object, **__: object) -> int:
    return 1


async def _nothing_stands(*_: object) -> int:
    return 0


def manifest() -> None:
    """Write batches without having named them, and believe that nothing of them stands in the table already."""
    processors.gathering.READ_ENTRIES = 3  # a backlog is read in other pieces than it was gathered in
    Inbox.begin = _not_named  # type: ignore[method-assign]
    Inbox.rename = _not_named  # type: ignore[method-assign, assignment]
    TableTarget.end = _nothing_stands  # type: ignore[method-assign, assignment]


def fence() -> None:
    """Believe whoever appends or commits, however old its epoch is."""
    folder = Path(os.environ["DATA_DIR"]) / f"unfenced-{os.getpid()}"
    folder.mkdir()
    for script in common.redis_streams.LUA.glob("*.lua"):
        lines = script.read_text(encoding="utf-8").splitlines(keepends=True)
        believed = [line for line in lines if not any(word in line for word in REFUSALS)]
        (folder / script.name).write_text("".join(believed), encoding="utf-8")
    common.redis_streams.LUA = folder


def spool() -> None:
    """Have no room on disk for what Redis does not take."""
    spool_of = ingesters_main.spool_of

    def roomless(venue: object, settings: Settings, figures: object) -> object:
        return spool_of(venue, settings.model_copy(update={"spool_max_bytes": 0}), figures)  # type: ignore[arg-type]

    ingesters_main.spool_of = roomless  # type: ignore[assignment]


PARTS: dict[str, Callable[[], None]] = {"manifest": manifest, "fence": fence, "spool": spool}


def main() -> None:
    """Take the part away, then be the program."""
    part, package, *words = sys.argv[1:]
    PARTS[part]()
    sys.argv = [package, *words]
    if package == "ingesters":
        sys.exit(ingesters_main._start())  # noqa: SLF001  runpy would load a second one, unchanged
    runpy.run_module(package, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
