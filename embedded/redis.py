"""
`python -m embedded.redis`: become a Redis server that keeps what it confirmed.

It writes the server's configuration under the data directory and executes the server in this process's place, so that
Supervisor's child is Redis itself.
"""

import fcntl
import os
import sys
import time
from pathlib import Path
from typing import NoReturn

from common.clock import monotonic_s
from common.errors import BadSettings
from common.lifecycle import BUG, MISCONFIGURED, REFUSED, die_with_parent
from common.settings import Settings
from embedded.redis_binary import REMEDY, Server, find
from embedded.redis_tail import make_whole

PATIENCE_S = 5.0
USERS = "secrets/redis-users.acl"


def main() -> int:  # noqa: RET503  nobody comes back from an exec
    """Return an exit code only if there is no server to become."""
    die_with_parent()  # the kernel keeps this across the exec below
    try:
        settings = Settings.from_env(os.environ)
    except BadSettings as error:
        print(error, file=sys.stderr)
        return MISCONFIGURED
    server = find()
    if server is None:
        print(f"no redis-server found: {REMEDY}", file=sys.stderr)
        return REFUSED
    folder = settings.data_dir.absolute() / "redis"
    if settings.embedded_passwords and not server.has_full_function:
        print(f"EMBEDDED_PASSWORDS=true needs Redis 7.0, found {server}: {REMEDY}", file=sys.stderr)
        return REFUSED
    if refusal := unreadable_by(server, folder):
        print(refusal, file=sys.stderr)
        return REFUSED
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not hold(folder):
        print(f"{folder} is in use by another Redis: two on one record would spoil it; set DATA_DIR", file=sys.stderr)
        return BUG  # not a refusal for ever: a killed server's last child may still be writing there
    if cut := make_whole(folder):
        print(f"cut an unfinished transaction, {cut.lost_bytes} bytes, off {cut.file}", file=sys.stderr)
    become(server, write_configuration(settings, folder))


def hold(folder: Path) -> bool:
    """Return whether the folder is ours from now on; the lock lives as long as the process, whatever it executes."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(lock, True)  # noqa: FBT003  the standard library's signature
    deadline_s = monotonic_s() + PATIENCE_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic_s() > deadline_s:
                return False
            time.sleep(0.1)
        else:
            return True


def become(server: Server, file: Path) -> NoReturn:
    """Execute the server in this process's place."""
    os.execv(server.path, ["redis-server", str(file)])  # noqa: S606  a server that we found


def unreadable_by(server: Server, folder: Path) -> str | None:
    """Return why this server would not see what lies in the folder: before 7.0 it would start empty, without a word."""
    if server.has_full_function or not (folder / "appendonlydir").exists():
        return None
    return f"{folder} was written by Redis 7.0 or newer, found {server}: {REMEDY}"


def write_configuration(settings: Settings, folder: Path) -> Path:
    """Write the server's configuration, readable by its owner alone, and return where it lies."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / "redis.conf"
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        handle.write(configuration(settings, folder))
    draft.replace(file)
    return file


def configuration(settings: Settings, folder: Path) -> str:
    """Return the server's configuration: everything that was confirmed is kept, nothing is ever evicted."""
    password = settings.redis_password.get_secret_value() if settings.redis_password else ""
    lines = [
        "# Written at every start; settings are named in .env.example.",
        "bind 127.0.0.1",
        "protected-mode yes",
        f"port {settings.redis_port}",
        f"dir {_quoted(str(folder))}",
        "daemonize no",
        'logfile ""',
        "set-proc-title no",  # it would write over the environment by which start.sh knows its own
        "appendonly yes",
        f"appendfsync {settings.redis_appendfsync}",
        "no-appendfsync-on-rewrite no",
        "aof-use-rdb-preamble yes",
        "aof-load-truncated yes",  # a torn tail is cut off; damage in the middle is refused
        "auto-aof-rewrite-percentage 100",
        "auto-aof-rewrite-min-size 64mb",
        'save ""',
        f"maxmemory {settings.redis_maxmemory_bytes}",
        "maxmemory-policy noeviction",
        "timeout 0",
        "tcp-keepalive 60",
        f"databases {max(16, settings.redis_db + 1)}",
    ]
    if settings.embedded_passwords:
        lines.append(f"aclfile {_quoted(str(settings.data_dir.absolute() / USERS))}")
    elif password:
        lines.append(f"requirepass {_quoted(password)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


if __name__ == "__main__":
    sys.exit(main())
