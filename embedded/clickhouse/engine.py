"""The engine: one chdb instance on one directory, which nobody else may hold, and the handles to it."""

import fcntl
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final, cast
from xml.sax.saxutils import escape

from chdb.state import sqlitelike

from embedded.clickhouse.chdb_api import Connection
from embedded.clickhouse.handle import Handle

# Power cuts lose acknowledged batches under any weaker choice of syncing; it costs 5 ms an insert. Merges of ten parts
# instead of five: at ten small inserts a second five would have every row of a large part written a hundred times.
_CONFIGURATION: Final = """<clickhouse>
    <display_name>tickfleet</display_name>
    <merge_tree>
        <fsync_after_insert>1</fsync_after_insert>
        <fsync_part_directory>1</fsync_part_directory>
        <min_rows_to_fsync_after_merge>1</min_rows_to_fsync_after_merge>
        <min_compressed_bytes_to_fsync_after_merge>1</min_compressed_bytes_to_fsync_after_merge>
        <merge_selector_base>10</merge_selector_base>
    </merge_tree>
    <user_directories>
        <users_xml><path>{path}/users.xml</path></users_xml>
        <local_directory><path>{path}/access/</path></local_directory>
    </user_directories>
</clickhouse>
"""

# The engine's one user, under whom every statement runs, may do everything: who may come in is the face's business.
_USERS: Final = """<clickhouse>
    <users>
        <default>
            <password></password>
            <networks><ip>::/0</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <access_management>1</access_management>
        </default>
    </users>
    <profiles><default></default></profiles>
    <quotas><default></default></quotas>
</clickhouse>
"""

# What a server has and the embedded engine does not: an insert is acknowledged when its rows stand in a part,
# a bare expression is no statement, and the time of day is UTC for everybody.
_DEFAULTS: Final = {"async_insert": "0", "implicit_select": "0"}
_KEPT_HANDLES: Final = 8


class EngineUnavailable(Exception):
    """The directory cannot be opened; the program ends with code 2."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot open {self.path}: {self.reason}"


class Engine:
    """Handles to one open directory; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """
        Open the directory, creating it if it is missing.

        Raises:
            EngineUnavailable: another engine holds it, or it cannot be read.
        """
        self.path = path.resolve()
        self._guard = threading.Lock()
        self._idle: dict[int, list[Handle]] = {0: [], 1: [], 2: []}  # by their level of readonly
        self._lock = _locked(self.path)
        configuration = self.path / "engine.xml"
        configuration.write_text(_CONFIGURATION.format(path=escape(str(self.path))))
        (self.path / "users.xml").write_text(_USERS)
        self._address = f"{self.path}?config-file={configuration}"
        try:
            self._root = self.connect()
        except RuntimeError as error:
            self._lock.close()
            raise EngineUnavailable(self.path, f"another engine holds it, or it is damaged ({error})") from error
        facts = self._root.query(b"SELECT version(), timezone(), displayName()", "TabSeparated", {})
        self.version, self.timezone, self.display_name = facts.body.decode().rstrip("\n").split("\t")

    def connect(self, defaults: Mapping[str, str] = _DEFAULTS) -> Handle:
        """Return a new handle with its own settings, current database and temporary tables."""
        return Handle(cast("Connection", sqlitelike.Connection(self._address)), defaults)

    def take(self, *, readonly: int) -> Handle:
        """Return a handle nobody uses; give it back with `give`."""
        with self._guard:
            if self._idle[readonly]:
                return self._idle[readonly].pop()
        return self.connect({**_DEFAULTS, "readonly": str(readonly)} if readonly else _DEFAULTS)

    def give(self, handle: Handle, *, readonly: int) -> None:
        """Take a handle back; one that a statement has changed for good is closed."""
        with self._guard:
            idle = self._idle[readonly]
            if not handle.changed and len(idle) < _KEPT_HANDLES:
                idle.append(handle)
                return
        handle.close()

    def close(self) -> None:
        """Close every idle handle and the engine; handles still in use must be closed before."""
        with self._guard:
            idle = [handle for handles in self._idle.values() for handle in handles]
            self._idle = {level: [] for level in self._idle}
        for handle in idle:
            handle.close()
        self._root.close()
        self._lock.close()


def _locked(path: Path) -> IO[str]:
    """Return the open lock file: the engine itself only says "error initializing" when it is the second."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / "engine.lock").open("a+")
    except OSError as error:
        raise EngineUnavailable(path, error.strerror or str(error)) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise EngineUnavailable(path, f"another engine holds it (process {holder})") from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock
