"""One connection to the engine: its settings, its current database, and the three ways to run a statement."""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Final, NamedTuple

from embedded.clickhouse.chdb_api import Connection
from embedded.clickhouse.errors import ClickHouseError, from_engine
from embedded.clickhouse.lexer import backquoted, quoted
from embedded.clickhouse.streams import BlockStream, InsertStream, PipeStream

_SETTING_NAME: Final = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)
_UNKNOWN_SETTING: Final = 115


class Outcome(NamedTuple):
    """What a statement gave, with the figures that go into the summary header."""

    body: bytes = b""
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    elapsed_ns: int = 0


class Handle:
    """A connection used by one thread at a time; every call blocks until the engine is done."""

    def __init__(self, connection: Connection, defaults: Mapping[str, str]) -> None:
        self._connection = connection
        self._standing = dict(defaults)  # by SET, for as long as the session lives
        self._current: dict[str, str] = {}
        self._standing_database = self._database = "default"
        self.changed = False
        self.prepare("", {})

    def prepare(self, database: str, settings: Mapping[str, str]) -> None:
        """Make the handle stand as one request wants it; what the last one set is taken back."""
        wanted = database or self._standing_database
        if wanted != self._database:
            self._run(f"USE {backquoted(wanted)}")
            self._database = wanted
        target = {**self._standing, **settings}
        names = self._current.keys() | target.keys()
        changes = {name: target.get(name) for name in names if self._current.get(name) != target.get(name)}
        if not changes:
            return
        self.changed = self.changed or "readonly" in changes  # nothing could be taken back
        try:
            self._assign(changes)
        except ClickHouseError:
            self._restore(changes.keys())
            raise
        self._current = target

    def keep(self, settings: tuple[tuple[str, str], ...], database: str) -> None:
        """Remember what a SET or USE statement has just changed for the whole session."""
        self.changed = True
        self._standing.update(settings)
        self._current.update(settings)
        if database:
            self._database = self._standing_database = database

    def standing(self, name: str) -> str:
        """Return what the session has set, "" for nothing."""
        return self._standing.get(name, "")

    def query(self, text: bytes, format_name: str, params: Mapping[str, str]) -> Outcome:
        """Return the whole result of a statement."""
        try:
            result = self._connection.query(text, format_name, params=dict(params))
        except (RuntimeError, ValueError) as error:
            raise from_engine(error) from error
        return Outcome(
            body=result.bytes(),
            read_rows=result.storage_rows_read(),
            read_bytes=result.storage_bytes_read(),
            written_rows=result.rows_written(),
            written_bytes=result.bytes_written(),
            result_rows=result.rows_read(),
        )

    def blocks(self, text: bytes, format_name: str, params: Mapping[str, str]) -> BlockStream:
        """Begin a read whose blocks, one behind another, are the whole result."""
        return BlockStream(self._connection, text, format_name, params)

    def pipe(self, text: tuple[bytes, bytes], params: Mapping[str, str]) -> PipeStream:
        """Begin a read in a format with a beginning and an end; the output clause goes between the two texts."""
        return PipeStream(self._connection, text, params)

    def insert(self, text: bytes, format_name: str, params: Mapping[str, str]) -> InsertStream:
        """Begin an insert; its data is appended piece by piece."""
        return InsertStream(self._connection, text, format_name, params)

    def close(self) -> None:
        """Give the connection back to the engine, with its temporary tables."""
        self._connection.close()

    def _restore(self, names: AbstractSet[str]) -> None:
        """Undo, name by name, an assignment that failed: the good names in it may stand already."""
        for name in names | self._current.keys():
            with suppress(ClickHouseError):
                self._assign({name: self._standing.get(name)})
        self._current = dict(self._standing)

    def _assign(self, changes: Mapping[str, str | None]) -> None:
        unknown = [name for name in changes if not _SETTING_NAME.match(name)]
        if unknown:
            raise ClickHouseError(_UNKNOWN_SETTING, f"Unknown setting '{unknown[0]}'", "UNKNOWN_SETTING")
        values = {name: "DEFAULT" if value is None else quoted(value) for name, value in changes.items()}
        self._run("SET " + ", ".join(f"{name} = {value}" for name, value in values.items()))

    def _run(self, text: str) -> None:
        try:
            self._connection.query(text.encode("utf-8", "surrogateescape"), "TabSeparated")
        except RuntimeError as error:
            raise from_engine(error) from error
