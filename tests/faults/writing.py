"""
The writer, to be killed: python -m tests.faults.writing PROCESS.

CRASH and WITHOUT as in `tests.faults.counting`; here WITHOUT names some of `manifest` and `doubt`.
"""

import os
import sys

import processors.gathering
from common.inbox import Inbox
from common.lifecycle import run
from processors.__main__ import main
from processors.registry import WRITER
from processors.targets import TableTarget
from tests.faults.counting import crash_at


async def not_named(*_, **__):
    return 1


async def no_doubt(*_):
    return 0


if __name__ == "__main__":
    processors.gathering.READ_ENTRIES = 3  # a backlog is read in other pieces than it was gathered in
    without = os.environ.get("WITHOUT", "").split(",")
    if "manifest" in without:
        Inbox.begin = not_named
    if "doubt" in without:
        TableTarget.end = no_doubt
    if os.environ.get("CRASH"):
        crash_at(os.environ["CRASH"])
    sys.exit(run(sys.argv[1], lambda settings, stop: main(WRITER, sys.argv[1], settings, stop)))
