"""The spool's file: packets that Redis has not taken yet, in order, and every epoch under which it was asked to."""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from common.packet import Packet, merged

# Every commit is on the disk when it returns: what the spool has taken survives a power cut, too.
OPENING = """
PRAGMA page_size = 16384;
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA journal_size_limit = 4194304;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS packets (
    shard TEXT NOT NULL, batch INTEGER NOT NULL, spooled_ns INTEGER NOT NULL, records INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (shard, batch)
);
CREATE TABLE IF NOT EXISTS claims (
    shard TEXT NOT NULL, epoch INTEGER NOT NULL, shift INTEGER NOT NULL, noted_ns INTEGER NOT NULL,
    PRIMARY KEY (shard, epoch)
);
CREATE TABLE IF NOT EXISTS marks (
    shard TEXT NOT NULL, symbol TEXT NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (shard, symbol)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS states (
    shard TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (shard, name)
) WITHOUT ROWID;
"""
CLAIMS_KEPT = 1000  # of each shard: older epochs cannot come back


class Claim(NamedTuple):
    """By how much Redis's count of our packets is ahead of ours under an epoch, and when that was written down."""

    shift: int
    noted_ns: int


class Remembered(NamedTuple):
    """The newest marks and state that go with the packets of a shard."""

    marks: dict[str, int]
    state: dict[str, str]


class Rows(NamedTuple):
    """What lies in the file of one shard: which packets, how much, and from when to when it was put there."""

    first_batch: int
    last_batch: int
    records: int
    size_bytes: int
    from_ns: int
    to_ns: int


TOTALS = "min(batch), max(batch), sum(records), sum(length(body)), min(spooled_ns), max(spooled_ns)"


class SpoolFile:
    """One file, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.executescript(OPENING)
        path.chmod(0o600)

    def close(self) -> None:
        """Close the file; what it holds stays."""
        self._db.close()

    def note_end(self, *, in_good_order: bool) -> None:
        """Write down whether the process that has the file ended in good order."""
        self._db.execute(f"PRAGMA user_version = {int(in_good_order)}")

    def ended_in_good_order(self) -> bool:
        """Return what was written down of the end of the process before."""
        return bool(self._db.execute("PRAGMA user_version").fetchone()[0])

    def rows(self) -> dict[str, Rows]:
        """Return what lies in the file, by shard."""
        found = self._db.execute(f"SELECT shard, {TOTALS} FROM packets GROUP BY shard")  # noqa: S608  our own constant
        return {shard: Rows(*totals) for shard, *totals in found}

    def claims(self) -> dict[str, dict[int, Claim]]:
        """Return what was written down of epochs, by shard and epoch."""
        held: dict[str, dict[int, Claim]] = {}
        for shard, epoch, *claim in self._db.execute("SELECT shard, epoch, shift, noted_ns FROM claims"):
            held.setdefault(shard, {})[epoch] = Claim(*claim)
        return held

    def note_claim(self, shard: str, epoch: int, claim: Claim) -> None:
        """Write down a claim that is about to be made."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)", (shard, epoch, *claim))
            self._db.execute(
                "DELETE FROM claims WHERE shard = ?1 AND epoch NOT IN "
                "(SELECT epoch FROM claims WHERE shard = ?1 ORDER BY rowid DESC LIMIT ?2)",
                (shard, CLAIMS_KEPT),
            )

    def write(self, packets: Sequence[tuple[str, Packet]], now_ns: int) -> int:
        """Take packets, all or none; return how many bytes they take."""
        bodies = [(shard, packet, msgspec.msgpack.encode(packet)) for shard, packet in packets]
        with self._transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO packets VALUES (?, ?, ?, ?, ?)",
                [(shard, packet.batch, now_ns, packet.records, body) for shard, packet, body in bodies],
            )
            for table, facts in (
                ("marks", [(shard, *mark) for shard, packet in packets for mark in packet.marks.items()]),
                ("states", [(shard, *fact) for shard, packet in packets for fact in packet.state.items()]),
            ):
                self._db.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)", facts)  # noqa: S608  as above
        return sum(len(body) for _, _, body in bodies)

    def read(self, shard: str, *, after: int, most_bytes: int) -> Packet | None:
        """Return the oldest packets of a shard behind a number as one, at least one of them; None if there is none."""
        found: list[Packet] = []
        size_bytes = 0
        query = "SELECT body FROM packets WHERE shard = ? AND batch > ? ORDER BY batch"
        for (body,) in self._db.execute(query, (shard, after)):
            size_bytes += len(body)
            if found and size_bytes > most_bytes:
                break
            found.append(msgspec.msgpack.decode(body, type=Packet))
        return merged(found) if found else None

    def remembered(self, shard: str) -> Remembered:
        """Return what goes with the packets that the file holds."""
        marks = self._db.execute("SELECT symbol, sequence FROM marks WHERE shard = ?", (shard,))
        state = self._db.execute("SELECT name, value FROM states WHERE shard = ?", (shard,))
        return Remembered(dict(marks.fetchall()), dict(state.fetchall()))

    def forget(self, shard: str, upto: int) -> int:
        """Remove packets up to a number; return how many bytes they took."""
        return self._remove("shard = ? AND batch <= ?", (shard, upto))

    def expire(self, before_ns: int, on_their_way: Mapping[str, int]) -> dict[str, Rows]:
        """Remove packets that are older than that and not on their way to Redis; return what they were."""
        gone: dict[str, Rows] = {}
        which = "shard = ? AND batch > ? AND spooled_ns < ?"
        for shard, batch in on_their_way.items():
            query = f"SELECT {TOTALS} FROM packets WHERE {which} HAVING count() > 0"  # noqa: S608  words of ours
            for totals in self._db.execute(query, (shard, batch, before_ns)):
                gone[shard] = Rows(*totals)
                self._remove(which, (shard, batch, before_ns))
        return gone

    def set_aside(self, shard: str, file: Path) -> None:
        """Write a shard's records into a file for people, one JSON line each, and remove them here."""
        query = "SELECT body FROM packets WHERE shard = ? ORDER BY batch"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as lines:
            for (body,) in self._db.execute(query, (shard,)):
                for entry in msgspec.msgpack.decode(body, type=Packet).entries:
                    lines.write(entry.data + b"\n")
            lines.flush()
            os.fsync(lines.fileno())
        self._remove("shard = ?", (shard,))

    def shrink(self) -> None:
        """Give the disk back what is empty."""
        self._db.executescript("PRAGMA incremental_vacuum")  # `execute` would give back a single page
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _remove(self, which: str, values: Sequence[str | int]) -> int:
        with self._transaction():
            query = f"SELECT coalesce(sum(length(body)), 0) FROM packets WHERE {which}"  # noqa: S608  words of ours
            size_bytes = int(self._db.execute(query, values).fetchone()[0])
            self._db.execute(f"DELETE FROM packets WHERE {which}", values)  # noqa: S608  as above
            for table in ("marks", "states"):
                self._db.execute(f"DELETE FROM {table} WHERE shard NOT IN (SELECT shard FROM packets)")  # noqa: S608
        return size_bytes

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)


class _Transaction:
    """All or nothing. The driver's own context manager leaves a transaction open when its COMMIT fails."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
