"""Where things of a running fleet lie, and what is written down about it."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from launch.report import CannotStart

ROOT = Path(__file__).resolve().parent.parent
MARK = "TICKFLEET_RUN"  # in the environment of every child: how start.sh knows its own after a crash
SOCKET_BYTES = 107 - len(".4194304")  # the kernel takes 107; Supervisor binds the name with its pid behind it first
UNSPEAKABLE = "%[]?*"  # Supervisor would read them as its own syntax where it looks for what it includes


@dataclass(frozen=True)
class Place:
    """The tree the fleet runs in; all the rest follows from it."""

    root: Path = ROOT

    @property
    def run(self) -> Path:
        """Return the directory of what only lives as long as the fleet."""
        return self.root / "run"

    @property
    def socket(self) -> Path:
        """Return where Supervisor listens: in the tree, or in /tmp when the tree's path is too long for a socket."""
        near = self.run / "supervisor.sock"
        if len(os.fsencode(near)) <= SOCKET_BYTES:
            return near
        return Path("/tmp") / f"tickfleet-{os.getuid()}-{hashlib.sha256(os.fsencode(near)).hexdigest()[:16]}.sock"  # noqa: S108  mode 0700, named after the tree

    @property
    def pid_file(self) -> Path:
        """Return where Supervisor writes its process id."""
        return self.run / "supervisord.pid"

    @property
    def programs(self) -> Path:
        """Return the generated part of Supervisor's configuration."""
        return self.run / "programs.conf"

    @property
    def facts(self) -> Path:
        """Return where we write down what was started."""
        return self.run / "fleet.json"

    @property
    def environment(self) -> Path:
        """Return where ./fleet reads the settings of what runs, one NAME=value a line."""
        return self.run / "fleet.env"

    def shown(self, path: Path) -> str:
        """Return a path as a person in the root writes it."""
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)

    def prepare(self) -> None:
        """Make the run directory; refuse a tree whose path Supervisor cannot read."""
        wrong = sorted(set(str(self.root)) & set(UNSPEAKABLE))
        if wrong:
            raise CannotStart(f"Supervisor cannot read paths with {' '.join(wrong)}: move {self.root} elsewhere")
        self.run.mkdir(mode=0o700, exist_ok=True)
        self._guide_supervisorctl()

    def _guide_supervisorctl(self) -> None:
        """Lead the environment's supervisorctl, which looks there first, to a socket outside the tree."""
        venv = Path(sys.prefix)
        if venv.resolve() != self.root / ".venv":
            return
        guide = venv / "etc" / "supervisord.conf"
        if self.socket.parent == self.run:
            guide.unlink(missing_ok=True)
            return
        guide.parent.mkdir(exist_ok=True)
        guide.write_text(f"[supervisorctl]\nserverurl=unix://{self.socket}\n", encoding="utf-8")


@dataclass(frozen=True)
class Started:
    """What start.sh started, for stop.sh, for a second start.sh and for tools; never a secret."""

    feed: str  # live, demo or replay
    files: tuple[str, ...]
    speed: str
    started_ns: int
    data_dir: str
    log_dir: str
    settings: Mapping[str, str]  # addresses that differ from the defaults, as environment variables


def write_facts(place: Place, started: Started) -> None:
    """Write down what was started."""
    supervisor = f"unix://{place.socket}"  # under the name that Supervisor itself tells its children
    shown = {"DATA_DIR": started.data_dir, "LOG_DIR": started.log_dir, "SUPERVISOR_SERVER_URL": supervisor}
    shown |= started.settings
    lines = [f"{name}={value}\n" for name, value in shown.items()]
    place.environment.write_text("".join(lines), encoding="utf-8")
    place.facts.write_text(json.dumps(asdict(started), indent=2) + "\n", encoding="utf-8")


def read_facts(place: Place) -> Started | None:
    """Return what was started last, None if nothing readable is written."""
    try:
        facts: dict[str, Any] = json.loads(place.facts.read_text(encoding="utf-8"))
        return Started(**{**facts, "files": tuple(facts["files"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
