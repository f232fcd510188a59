"""Supervisor itself: start it, ask it, tell it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-untyped]  # Supervisor has no types

from common.clock import monotonic_s
from launch.place import Place
from launch.report import CannotStart

GONE = ("STOPPED", "EXITED", "FATAL")
FALLING = ("BACKOFF", "FATAL")
POLL_S = 0.05
TAIL_BYTES = 4000


@dataclass(frozen=True)
class Process:
    """A process as Supervisor sees it; `pid` is 0 when it is not running."""

    name: str
    group: str
    state: str
    pid: int
    log: Path

    @property
    def is_gone(self) -> bool:
        """Return whether it will not run again by itself."""
        return self.state in GONE

    @property
    def is_falling(self) -> bool:
        """Return whether it leaves as soon as it is started."""
        return self.state in FALLING

    def last_words(self) -> str:
        """Return what the last line of its log says that says anything."""
        lines = [line.strip(" |+-") for line in self.tail().splitlines()]  # without the frame of a traceback
        return _plain(next((line for line in reversed(lines) if any(map(str.isalnum, line))), ""))

    def tail(self) -> str:
        """Return the end of its log."""
        try:
            return self.log.read_bytes()[-TAIL_BYTES:].decode(errors="replace")
        except OSError:
            return ""


def _plain(line: str) -> str:
    """Return a structured line of a log as a person says it, any other as it is."""
    try:
        said = json.loads(line)
        return f"{said['event']}: {said['reason']}" if "reason" in said else str(said["event"])
    except (ValueError, TypeError, KeyError):
        return line


class Daemon:
    """The Supervisor of one tree, spoken to over its socket."""

    def __init__(self, place: Place) -> None:
        self._place = place
        # The address is never dialled: the transport goes to the socket.
        # Any: the methods are the other side's, see http://supervisord.org/api.html
        self._api: Any = ServerProxy(
            "http://127.0.0.1", transport=SupervisorTransport(None, None, f"unix://{place.socket}")
        ).supervisor

    def pid(self) -> int | None:
        """Return the process id of the Supervisor that answers, None if none does."""
        try:
            return int(cast("int", self._api.getPID()))
        except (OSError, HTTPException, Fault):
            return None

    def is_stopping(self) -> bool:
        """Return whether it is on its way out."""
        try:
            return int(self._api.getState()["statecode"]) < 1
        except (OSError, HTTPException, Fault):
            return True

    def start(self) -> None:
        """Run Supervisor with the configuration as it stands; it goes into the background by itself."""
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._place.root / "supervisord.conf")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self._place.root)  # noqa: S603  words of ours
        if done.returncode:
            words = (done.stderr or done.stdout).strip().splitlines()
            raise CannotStart(f"Supervisor would not start: {words[0] if words else f'exit code {done.returncode}'}")
        wait_until(lambda: self.pid() is not None, 10, "Supervisor does not answer on its socket")

    def read_configuration(self) -> list[str]:
        """Have it read the configuration again and drop what is gone from it; return the programs to be added."""
        added, changed, removed = self._api.reloadConfig()[0]
        for group in [*changed, *removed]:
            self._api.stopProcessGroup(group)
            self._api.removeProcessGroup(group)
        return [*added, *changed]

    def add(self, groups: Iterable[str]) -> None:
        """Start programs that the configuration has and it does not know yet."""
        for group in groups:
            self._api.addProcessGroup(group)

    def processes(self) -> list[Process]:
        """Return every process it knows."""
        return [
            Process(
                name=facts["name"],
                group=facts["group"],
                state=facts["statename"],
                pid=facts["pid"],
                log=Path(facts["stdout_logfile"]),
            )
            for facts in self._api.getAllProcessInfo()
        ]

    def stop(self, group: str) -> None:
        """Tell all processes of a program to stop; does not wait."""
        self._api.stopProcessGroup(group, False)  # noqa: FBT003  the other side's signature

    def forget(self, group: str) -> None:
        """Take a program that has stopped off its list."""
        self._api.removeProcessGroup(group)

    def shut_down(self) -> None:
        """Tell it to stop everything, and itself."""
        self._api.shutdown()


def wait_until(is_so: Callable[[], bool], patience_s: float, otherwise: str) -> None:
    """Return once something is so; raise CannotStart with the words given when it takes too long."""
    deadline_s = monotonic_s() + patience_s
    while not is_so():
        if monotonic_s() > deadline_s:
            raise CannotStart(f"{otherwise} (waited {patience_s:.0f} s)")
        time.sleep(POLL_S)


def uptime_s(pid: int) -> float:
    """Return how long a process has been running, 0 if that cannot be told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        since_boot_s = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    except (OSError, IndexError, ValueError):
        return 0.0
    return max(0.0, since_boot_s - int(fields[19]) / os.sysconf("SC_CLK_TCK"))
