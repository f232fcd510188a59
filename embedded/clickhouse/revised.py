"""Native results brought to a client's protocol revision, block by block."""

from collections.abc import Callable

from embedded.clickhouse.native import (
    BLOCK_INFO,
    Column,
    needs_time_zones,
    wants_block_info,
    with_time_zones,
)
from embedded.clickhouse.streams import BlockStream


class RevisedStream:
    """A block stream whose blocks have what the revision adds; the columns are asked for only if it matters."""

    def __init__(self, blocks: BlockStream, revision: int, columns: Callable[[], list[Column]]) -> None:
        self._blocks = blocks
        self._revision = revision
        self._ask = columns
        self._columns: list[Column] | None = None

    @property
    def result_rows(self) -> int:
        """Return the rows read from it so far."""
        return self._blocks.result_rows

    @property
    def read_rows(self) -> int:
        """Return the rows the engine has read for it."""
        return self._blocks.read_rows

    @property
    def read_bytes(self) -> int:
        """Return the bytes the engine has read for it."""
        return self._blocks.read_bytes

    def next(self) -> bytes:
        """Return the next block, b"" when there is none."""
        block = self._blocks.next()
        if not block:
            return b""
        if self._columns is None:
            self._columns = self._ask() if needs_time_zones(block, self._revision) else []
        return _headed(with_time_zones(block, self._columns), self._revision)

    def close(self) -> None:
        """Stop the read."""
        self._blocks.close()


def revised_body(body: bytes, revision: int) -> bytes:
    """Return a small result, one block, at the revision."""
    return _headed(body, revision) if body else body


def _headed(block: bytes, revision: int) -> bytes:
    return BLOCK_INFO + block if wants_block_info(revision) else block
