"""The SQL box: one statement that may read and nothing else, within limits that it cannot lift."""

import asyncio
import re
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import msgspec

from common.clickhouse import Client, Store, connect
from common.clock import monotonic_s
from common.errors import StoreRefused
from common.settings import Settings
from monitoring.store_readings import plain

AT_ONCE: Final = 2  # statements side by side; each holds a thread of its own, none of those that the pages ask with
LONGEST_S: Final = 10
PATIENCE_S: Final = LONGEST_S + 5.0  # a block of rows is finished before the engine looks at the clock
MOST_ROWS: Final = 1_000
MOST_CELLS: Final = 50_000  # a table of many columns is shown with fewer rows
LONGEST_TEXT: Final = 16_384  # characters
LONGEST_REASON: Final = 500  # characters
MOST_BYTES: Final = 4 * 2**20
FORM: Final = "JSONCompactEachRowWithNamesAndTypes"
# One row more than is shown says that there are more. Decimals come as text: JSON numbers would lose digits.
LIMITS: Final = {
    "max_execution_time": LONGEST_S,
    "limit": MOST_ROWS + 1,
    "max_result_bytes": MOST_BYTES,
    "max_memory_usage": 2**30,
    "max_threads": 1,
    "output_format_json_quote_decimals": 1,
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 1,
}
NAMES_A_FORM: Final = re.compile(r"\bFORMAT\s+\w+$", re.IGNORECASE)
OWN_LEVEL: Final = "Cannot modify 'readonly' setting"


class NoTable(Exception):
    """A statement was not put to the engine, or its answer is none that can be shown; its words say which and why."""


@dataclass(frozen=True)
class Table:
    """What a statement gave: columns with the engine's types, rows as JSON has them, and whether there are more."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    has_more: bool
    took_s: float


class Busy(NoTable):
    """As many statements run as may."""


class SqlBox:
    """Asks ClickHouse what people write, in threads of its own, a few statements at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(AT_ONCE, "sql")
        self._running: set[Future[Table]] = set()
        self._connecting = Lock()
        self._store: Store | None = None

    async def ask(self, text: str) -> Table:
        """
        Return what a statement gives.

        Raises:
            NoTable: it is empty, too long or names a format, others run, or its answer is larger than `MOST_BYTES`.
            StoreRefused: the engine refused it, does not answer, or did not within `PATIENCE_S`.
        """
        statement = stated(text)
        self._running = {one for one in self._running if not one.done()}
        if len(self._running) >= AT_ONCE:
            raise Busy(f"{AT_ONCE} statements are running already: try again when one has ended")
        running = self._threads.submit(self._ask, statement)
        self._running.add(running)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.shield(asyncio.wrap_future(running))
        except TimeoutError as error:
            raise StoreRefused("query", code=0, reason=f"no answer within {PATIENCE_S:.0f} s") from error

    def close(self) -> None:
        """Take no more; a statement that runs ends by its own limits."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ask(self, statement: str) -> Table:
        store = self._connected()
        start_s = monotonic_s()
        answer = whole(store.stream(statement, FORM, limits=LIMITS, readonly=1))
        return table_of(answer.splitlines(), monotonic_s() - start_s)

    def _connected(self) -> Store:
        with self._connecting:
            if self._store is None:
                self._store = Store(self._connect(), self._connect)
            return self._store

    def _connect(self) -> Client:
        client = connect(self._settings)
        client.server_settings.pop("readonly", None)  # whether we may set it says the server, not the driver
        return client


def stated(text: str) -> str:
    """Return a statement as it is put to the engine; raise NoTable where it cannot be."""
    statement = text.replace("\r\n", "\n").strip().rstrip(";").rstrip()
    if not statement:
        raise NoTable("there is no statement")
    if len(statement) > LONGEST_TEXT:
        raise NoTable(f"expected {LONGEST_TEXT:,} characters at most, found {len(statement):,}")
    if NAMES_A_FORM.search(statement):
        raise NoTable("leave FORMAT out of the statement: the page is one, CSV and JSON lines are beside it")
    return statement


def whole(pieces: Generator[bytes]) -> bytes:
    """Return an answer whose size is bounded; one that is larger is not read on, which ends it in the engine, too."""
    answer = bytearray()
    with closing(pieces):
        for piece in pieces:
            answer += piece
            if len(answer) > MOST_BYTES:
                raise NoTable(f"the answer is larger than {MOST_BYTES // 2**20} MiB: ask for less of it")
    return bytes(answer)


def table_of(lines: list[bytes], took_s: float) -> Table:
    """
    Return the table that lines of `FORM` tell: names, types, rows; none of them where nothing was answered.

    Raises:
        StoreRefused: the engine broke off, and wrote why where a row should stand.
    """
    try:
        names, types, *rows = map(msgspec.json.decode, lines) if lines else ((), ())
    except msgspec.DecodeError as error:
        reason = next((line for line in lines if b"DB::Exception" in line), b"it broke off in the middle")
        raise StoreRefused("query", code=0, reason=reason.decode(errors="replace")) from error
    most = min(MOST_ROWS, max(1, MOST_CELLS // max(1, len(names))))
    return Table(tuple(names), tuple(types), tuple(map(tuple, rows[:most])), len(rows) > most, took_s)


def why(error: StoreRefused, text: str) -> str:
    """Return in one line why there is no answer to a statement."""
    if OWN_LEVEL in error.reason and "readonly" not in text.lower():
        return (
            "the dashboard's own ClickHouse user has readonly = 2, under which a statement could lift its limits: "
            "expected a user as in deploy/clickhouse-users.sql"
        )
    return plain(error.reason, longest=LONGEST_REASON)
