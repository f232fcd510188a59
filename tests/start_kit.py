"""A tree of its own for start.sh and stop.sh: a copy of this one that shares its virtual environment."""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOT_COPIED = shutil.ignore_patterns(
    ".venv", ".git", ".*_cache", "data", "logs", "run", ".env", "__pycache__", "benchmarks", "docs", "tests"
)
PLAIN = ("PATH", "HOME", "LANG", "TERM")


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class Tree:
    """A copy of the tree; `start` and `stop` return what was said, both streams in `stdout`, and the exit code."""

    def __init__(self, folder, venv=Path(sys.prefix)):
        self.root = Path(folder)
        shutil.copytree(ROOT, self.root, ignore=NOT_COPIED)
        _bring_kernels(self.root)
        if venv is not None:
            (self.root / ".venv").symlink_to(venv)
        self.redis_port, self.clickhouse_port, self.dashboard_port = free_ports(3)
        self.environment = {
            **{name: value for name, value in os.environ.items() if name in PLAIN},
            "REDIS_PORT": str(self.redis_port),
            "CLICKHOUSE_PORT": str(self.clickhouse_port),
            "DASHBOARD_PORT": str(self.dashboard_port),
        }

    def run(self, *command, cwd=None, **changed):
        return subprocess.run(
            [str(word) for word in command],
            cwd=cwd or self.root,
            env={**self.environment, **changed},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
            check=False,
        )

    def start(self, *arguments, **changed):
        return self.run("./start.sh", *arguments, **changed)

    def stop(self):
        return self.run("./stop.sh")

    def supervisorctl(self, *words):
        """Run supervisorctl as an operator does: in the root, without -c."""
        return self.run(Path(sys.prefix) / "bin" / "supervisorctl", *words)

    def python(self, code, **changed):
        done = self.run(sys.executable, "-c", code, **changed)
        assert done.returncode == 0, done.stdout
        return done.stdout.strip()

    def pids(self):
        """Return the living processes that carry the tree's mark, and its Supervisor."""
        mark = f"TICKFLEET_RUN={self.root}/run".encode()
        conf = f"{self.root}/supervisord.conf".encode()
        return [pid for pid in _all_pids() if _belongs(pid, mark, conf)]

    def open_ports(self):
        return [port for port in (self.redis_port, self.clickhouse_port, self.dashboard_port) if is_open(port)]


def wait_for(is_so, what, give_up_s=20.0):
    """Look again until something is so."""
    deadline_s = time.monotonic() + give_up_s
    while not is_so():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.02)


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _bring_kernels(root):
    """Copy what numba has compiled here already: half a minute of two cores that no test is about."""
    compiled = root / "common" / "__pycache__"
    compiled.mkdir()
    for file in (ROOT / "common" / "__pycache__").glob("*.nb?"):
        shutil.copy2(file, compiled)


def _all_pids():
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _belongs(pid, mark, conf):
    folder = Path("/proc") / str(pid)
    try:
        if (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False
        words = (folder / "environ").read_bytes().split(b"\0") + (folder / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return mark in words or conf in words


def stamped(venv=Path(sys.prefix)):
    """Skip where start.sh would have to install packages first: that is not for a test."""
    wanted = hashlib.sha256((ROOT / "requirements.txt").read_bytes()).hexdigest()
    stamp = venv / "requirements.txt.sha256"
    if not stamp.exists() or stamp.read_text().split()[0] != wanted:
        pytest.skip("the virtual environment is not the one of requirements.txt: run ./test.sh once")
