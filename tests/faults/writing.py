"""
The writer, to be killed: python -m tests.faults.writing PROCESS.

CRASH and WITHOUT as in `tests.faults.counting`; here WITHOUT names some of `manifest` and `doubt`.
"""

import os
import sys
from dataclasses import replace

import processors.gathering
import processors.registry
from common.inbox import Inbox
from common.lifecycle import run
from processors.__main__ import main
from processors.registry import WRITER
from processors.targets import TableTarget
from tests.faults.counting import DEADLY, crash_at


def mortal(transform):
    """Return the transform as it is where a record of one symbol kills its process."""

    def made(frame, knowledge):
        if DEADLY in frame["symbol"]:
            os._exit(1)
        return transform(frame, knowledge)

    return made


async def not_named(*_, **__):
    return 1


async def no_doubt(*_):
    return 0


if __name__ == "__main__":
    processors.registry.PROCESSORS = tuple(
        replace(processor, transform=mortal(processor.transform)) if processor.program == WRITER else processor
        for processor in processors.registry.PROCESSORS
    )
    processors.gathering.READ_ENTRIES = 3  # a backlog is read in other pieces than it was gathered in
    without = os.environ.get("WITHOUT", "").split(",")
    if "manifest" in without:
        Inbox.begin = not_named
    if "doubt" in without:
        TableTarget.end = no_doubt
    if os.environ.get("CRASH"):
        crash_at(os.environ["CRASH"])
    sys.exit(run(sys.argv[1], lambda settings, stop: main(WRITER, sys.argv[1], settings, stop)))
