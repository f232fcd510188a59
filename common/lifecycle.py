"""How a program of the fleet starts and ends: one event loop, one stop event, the exit codes that Supervisor knows."""

import asyncio
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import uvloop

from common import log
from common.errors import BadSettings, FeedRefused, Fenced, SchemaMismatch
from common.settings import Settings

DONE, BUG, REFUSED, MISCONFIGURED = 0, 1, 2, 78
PR_SET_PDEATHSIG = 1  # linux/prctl.h
COLLECT_AFTER = 70_000  # containers made and not freed


def run(program: str, main: Callable[[Settings, asyncio.Event], Awaitable[None]]) -> int:
    """
    Run a program until it is told to stop; return its exit code.

    Supervisor leaves 0 and 2 alone (told to stop, refused) and starts anything else again.
    """
    die_with_parent()
    try:
        settings = Settings.from_env(os.environ)  # noqa: TID251  every __main__ comes through here
    except BadSettings as error:
        print(error, file=sys.stderr)  # noqa: T201  before there is a log
        return MISCONFIGURED
    log.configure(program, settings.log_level)
    _collect_rarely()
    try:
        uvloop.run(_until_told(main, settings))
    except (FeedRefused, Fenced, SchemaMismatch, BadSettings) as error:
        log.logger("lifecycle").error("program.refused", reason=str(error))
        return REFUSED
    return DONE


def _collect_rarely() -> None:
    """
    Have the garbage collector leave what was imported alone, and look for cycles a hundred times less often.

    Records and frames make none; looking through batches of them for some cost a third of an ingester's time.
    """
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 10, 10)


async def _until_told(main: Callable[[Settings, asyncio.Event], Awaitable[None]], settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    log.logger("lifecycle").info("program.started", pid=os.getpid())
    await main(settings, stop)
    log.logger("lifecycle").info("program.stopped")


def die_with_parent() -> None:
    """
    Have the kernel end this process when its parent dies: a killed supervisord must not leave second copies behind.

    The parent may be gone before the call; then nobody would ever send the signal, so that is checked behind it.
    """
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(DONE)


async def wait(stop: asyncio.Event, pause_s: float) -> bool:
    """Wait, but not longer than until told to stop; return whether we were."""
    try:
        async with asyncio.timeout(pause_s):
            await stop.wait()
    except TimeoutError:
        return stop.is_set()
    return True


def heed_cancellation() -> None:
    """
    Raise CancelledError if this task was cancelled and has not noticed.

    `asyncio.wait_for` swallows a cancellation that comes together with its result, and the Redis driver sends through
    it: a loop around Redis would never end. https://github.com/python/cpython/issues/86296
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
