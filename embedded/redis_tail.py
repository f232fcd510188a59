"""
The end of Redis's append-only file after a power cut: an unfinished transaction is cut off before the server reads it.

The server would cut it in its middle, behind the last whole command, go on writing there, and at its next start take
what was left of it and all that came since for one transaction (seen with 7.0). What is torn outside of a transaction
the server cuts well by itself.
"""

import mmap
import os
from pathlib import Path
from typing import NamedTuple

MULTI, EXEC = b"*1\r\n$5\r\nMULTI\r\n", b"*1\r\n$4\r\nEXEC\r\n"
MOST_BYTES = 256 * 2**20  # that are looked through; transactions of ours have a few hundred kilobytes


class Cut(NamedTuple):
    """What was cut off, and where."""

    file: Path
    lost_bytes: int


def make_whole(folder: Path) -> Cut | None:
    """Cut an unfinished transaction off the newest append-only file of a folder; return None if there is none."""
    file = newest(folder)
    if file is None or not file.stat().st_size:
        return None
    with file.open("r+b") as handle:
        with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
            size, whole = len(content), whole_bytes(content)
        if whole == size:
            return None
        handle.truncate(whole)
        os.fsync(handle.fileno())
    return Cut(file, size - whole)


def newest(folder: Path) -> Path | None:
    """Return the file that the server wrote to last: numbered ones since 7.0, a single one before."""
    numbered = {int(file.name.split(".")[-3]): file for file in folder.glob("appendonlydir/*.aof.*.incr.aof")}
    single = folder / "appendonly.aof"
    return numbered[max(numbered)] if numbered else single if single.exists() else None


def whole_bytes(content: bytes | mmap.mmap) -> int:
    """Return how much of an append-only file is left when an unfinished transaction is taken off its end."""
    least = max(0, len(content) - MOST_BYTES)
    at = content.rfind(MULTI, least)
    # Bytes of a record that only look like the beginning of a transaction would have one of their own behind them.
    return len(content) if at < 0 or content.find(EXEC, at) >= 0 else at
