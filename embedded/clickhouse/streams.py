"""Results and inserts too large to hold: read, or written, a piece at a time."""

import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from itertools import pairwise
from typing import IO, Final

from embedded.clickhouse.chdb_api import Connection
from embedded.clickhouse.errors import ClickHouseError, from_engine
from embedded.clickhouse.lexer import tokens

_PIPE_BYTES: Final = 1 << 20
_IN_MEMORY_BYTES: Final = 16 << 20
TABLE_AT: Final = 2  # the first token of a head that may be a table: INSERT INTO name


class BlockStream:
    """A read in a format whose blocks need nothing before, between or behind them."""

    def __init__(self, connection: Connection, text: bytes, format_name: str, params: Mapping[str, str]) -> None:
        self.result_rows = self.read_rows = self.read_bytes = 0
        try:
            self._stream = connection.send_query(text, format_name, params=dict(params))
        except (RuntimeError, ValueError) as error:
            raise from_engine(error) from error

    def next(self) -> bytes:
        """Return the next block, b"" when there is none."""
        try:
            block = self._stream.fetch()
        except RuntimeError as error:
            raise from_engine(error) from error
        if block is None:
            return b""
        self.result_rows += block.rows_read()
        self.read_rows += block.storage_rows_read()
        self.read_bytes += block.storage_bytes_read()
        return block.bytes() or self.next()

    def close(self) -> None:
        """Stop the read, wherever it is."""
        try:
            self._stream.close()
        except RuntimeError as error:
            raise from_engine(error) from error


class PipeStream:
    """
    A read in any format, exactly as the engine writes it to a file: here, to a pipe.

    The engine runs in a thread of its own, because it blocks while nobody reads.
    """

    def __init__(self, connection: Connection, text: tuple[bytes, bytes], params: Mapping[str, str]) -> None:
        self.result_rows = self.read_rows = self.read_bytes = 0
        self._error: ClickHouseError | None = None
        self._reader, self._writer = os.pipe()
        fcntl.fcntl(self._writer, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        whole = text[0] + b" INTO OUTFILE '/dev/fd/%d' APPEND " % self._writer + text[1]
        self._engine = threading.Thread(target=self._run, args=(connection, whole, dict(params)), daemon=True)
        self._engine.start()

    def next(self) -> bytes:
        """Return the next piece, b"" at the end."""
        piece = os.read(self._reader, _PIPE_BYTES)
        if not piece:
            self._engine.join()
            if self._error is not None:
                raise self._error
        return piece

    def close(self) -> None:
        """Read what is still coming, so that the engine does not wait for us, and let the pipe go."""
        while os.read(self._reader, _PIPE_BYTES):
            pass
        self._engine.join()
        os.close(self._reader)

    def _run(self, connection: Connection, text: bytes, params: dict[str, str]) -> None:
        try:
            result = connection.query(text, "TabSeparated", params=params)
            self.result_rows = result.rows_read()
            self.read_rows = result.storage_rows_read()
            self.read_bytes = result.storage_bytes_read()
        except (RuntimeError, ValueError) as error:
            self._error = from_engine(error)
        finally:
            os.close(self._writer)


class InsertStream:
    """
    An insert in progress: its data is laid down in a file without a name, and read by the engine when it is whole.

    The engine's own way to insert piece by piece (`send_insert`) answers well when the table has refused the rows:
    a violated constraint, too many partitions, a full disk. INSERT ... FROM INFILE raises what a server would raise,
    and a body that was cut off leaves nothing behind.
    """

    def __init__(self, connection: Connection, text: bytes, format_name: str, params: Mapping[str, str]) -> None:
        self._connection = connection
        self._text = text
        self._format = format_name.encode()
        self._params = params
        self._file: IO[bytes] = os.fdopen(os.memfd_create("insert"), "w+b")
        self._on_disk = False

    def append(self, data: bytes) -> None:
        """Lay down more data: in memory while it is small, then on the disk."""
        if not self._on_disk and self._file.tell() + len(data) > _IN_MEMORY_BYTES:
            self._move_to_disk()
        self._file.write(data)

    def finish(self) -> tuple[int, int]:
        """Return the rows and bytes written, once they stand in the table."""
        self._file.flush()
        at = _settings_at(self._text)
        source = b" FROM INFILE '/dev/fd/%d' COMPRESSION 'none' " % self._file.fileno()
        whole = self._text[:at] + source + self._text[at:] + b" FORMAT " + self._format
        try:
            result = self._connection.query(whole, "Null", params=dict(self._params))
        except (RuntimeError, ValueError) as error:
            raise from_engine(error) from error
        finally:
            self._file.close()
        return result.rows_written(), result.bytes_written()

    def cancel(self) -> None:
        """Give the insert up: nothing of it was written."""
        self._file.close()

    def _move_to_disk(self) -> None:
        file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (it lives until finish or cancel)
        self._file.seek(0)
        shutil.copyfileobj(self._file, file, _PIPE_BYTES)
        self._file.close()
        self._file, self._on_disk = file, True


def _settings_at(text: bytes) -> int:
    """Return where the SETTINGS of an insert's head begin, its end if it has none: the source stands before them."""
    found = [token for token in tokens(text.decode("latin-1")) if token.depth == 0]
    clauses = [
        token.start
        for before, token in pairwise(found[TABLE_AT:])
        if token.says("SETTINGS") and before.text not in (".", "TABLE")
    ]
    return clauses[0] if clauses else len(text)
