"""The part of chdb we use, as it behaves: it takes bytes where its hints say str."""

from collections.abc import Mapping
from typing import Protocol


class Result(Protocol):
    """A whole result, or one block of it, with its figures."""

    def bytes(self) -> bytes:
        """Return the formatted data."""

    def rows_read(self) -> int:
        """Return the rows of the result."""

    def storage_rows_read(self) -> int:
        """Return the rows read from tables."""

    def storage_bytes_read(self) -> int:
        """Return the bytes read from tables."""

    def rows_written(self) -> int:
        """Return the rows inserted."""

    def bytes_written(self) -> int:
        """Return the bytes inserted."""


class Blocks(Protocol):
    """A result block by block."""

    def fetch(self) -> Result | None:
        """Return the next block, None at the end."""

    def close(self) -> None:
        """Stop the query."""


class Written(Protocol):
    """What an insert wrote."""

    rows_written: int
    bytes_written: int


class Inserter(Protocol):
    """An insert in progress."""

    def append(self, data: bytes, /) -> None:
        """Hand over data."""

    def finish(self) -> Written:
        """Commit."""

    def cancel(self) -> None:
        """Give up."""


class Connection(Protocol):
    """One connection to the engine of this process."""

    def query(self, query: bytes, format_name: str, /, params: Mapping[str, str] | None = None) -> Result:
        """Run a statement."""

    def send_query(self, query: bytes, format_name: str, /, params: Mapping[str, str] | None = None) -> Blocks:
        """Begin a read."""

    def send_insert(self, query: bytes, format_name: str, /) -> Inserter:
        """Begin an insert."""

    def close(self) -> None:
        """Give the connection back."""
