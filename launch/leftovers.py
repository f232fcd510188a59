"""Processes of ours that outlived their Supervisor: found by the mark in their environment, ended by a handle."""

import os
import select
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from common.clock import monotonic_s
from launch.place import MARK, Place

PATIENCE_S = 35.0  # a program that drains takes its time
PROC = Path("/proc")


@dataclass(frozen=True)
class Leftover:
    """A living process of ours; the handle stays on this very process, whoever gets its number later."""

    pid: int
    name: str
    handle: int

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal; one that is gone does not mind."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, number)


def find(place: Place) -> list[Leftover]:
    """Return the living processes that a Supervisor of this tree has started."""
    mark = f"{MARK}={place.run}".encode()
    return [leftover for pid in _pids() if (leftover := _ours(pid, mark)) is not None]


def end(leftovers: Sequence[Leftover], patience_s: float = PATIENCE_S) -> None:
    """Tell them to stop, and kill those that have not done so in time."""
    for leftover in leftovers:
        leftover.tell(signal.SIGTERM)
    for leftover in _living(leftovers, patience_s):
        leftover.tell(signal.SIGKILL)
    _living(leftovers, 5.0)
    for leftover in leftovers:
        os.close(leftover.handle)


def is_running(pid: int) -> bool:
    """Return whether a process is there and not just waiting to be counted as dead."""
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def command_line(pid: int) -> list[str]:
    """Return the words a process was called with; raise OSError when it is gone."""
    return (PROC / str(pid) / "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")


def _ours(pid: int, mark: bytes) -> Leftover | None:
    # The handle first: what is read afterwards is read of the process that the handle is on, or it has ended.
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return None
    try:
        environment = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
        name = dict(part.partition(b"=")[::2] for part in environment).get(b"SUPERVISOR_PROCESS_NAME", b"a child")
        if mark in environment and is_running(pid):
            return Leftover(pid, name.decode(errors="replace"), handle)
    except OSError:
        pass
    os.close(handle)
    return None


def _living(leftovers: Sequence[Leftover], patience_s: float) -> list[Leftover]:
    """Wait until all have ended; return those that have not in time."""
    waiting = {leftover.handle: leftover for leftover in leftovers}
    deadline_s = monotonic_s() + patience_s
    while waiting and (left_s := deadline_s - monotonic_s()) > 0:
        for handle in select.select(list(waiting), [], [], left_s)[0]:
            del waiting[handle]
    return list(waiting.values())


def _pids() -> Iterator[int]:
    if not PROC.is_dir():  # not Linux: nobody can be found, and the ports tell in the end
        return
    yield from (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid())
