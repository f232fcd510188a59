"""Running queries under the names their clients gave them: `system.processes`, KILL QUERY, and who is still here."""

import time
from typing import Final
from urllib.parse import quote

from embedded.clickhouse.errors import SAME_QUERY_ID, ClickHouseError
from embedded.clickhouse.lexer import Token, quoted, tokens

# The engine names queries by itself. The client's name travels as a comment behind the text, where it moves no
# position in an error message, and is read back from the engine's own list.
_MARK: Final = r"/\\*request=([^&*]*)&user=([^&*]*)\\*/"
_NAMED: Final = f"match(query, '{_MARK}')"
_PROCESSES: Final = (
    "(SELECT * REPLACE ("
    f"if({_NAMED}, decodeURLComponent(extract(query, '/\\\\*request=([^&*]*)&')), query_id) AS query_id, "
    f"if({_NAMED}, decodeURLComponent(extract(query, '&user=([^&*]*)\\\\*/')), user) AS user, "
    f"if({_NAMED}, decodeURLComponent(extract(query, '/\\\\*request=([^&*]*)&')), initial_query_id) AS initial_query_id, "
    f"replaceRegexpAll(query, '\\\\s*{_MARK}', '') AS query) FROM system.processes)"
)


class Running:
    """A query from its first byte to its reply."""

    def __init__(self, query_id: str, user: str) -> None:
        self.query_id = query_id
        self.user = user
        self.text = ""
        self.begun_s = time.monotonic()
        self.killed = False

    @property
    def elapsed_ns(self) -> int:
        """Return how long the query has been running."""
        return int((time.monotonic() - self.begun_s) * 1e9)

    @property
    def mark(self) -> bytes:
        """Return the comment by which the engine's list is read back."""
        return f"\n/*request={quote(self.query_id, safe='')}&user={quote(self.user, safe='')}*/".encode()


class Registry:
    """All queries that run; used from the event loop only."""

    def __init__(self) -> None:
        self._running: dict[str, Running] = {}

    def begin(self, query_id: str, user: str) -> Running:
        """
        Return the entry of a new query.

        Raises:
            ClickHouseError: a query of that name still runs.
        """
        if query_id in self._running:
            message = f"Query with id = {query_id} is already running."
            raise ClickHouseError(SAME_QUERY_ID, message)
        self._running[query_id] = running = Running(query_id, user)
        return running

    def end(self, running: Running) -> None:
        """Forget a query that has been answered."""
        self._running.pop(running.query_id, None)

    def find(self, query_id: str) -> Running | None:
        """Return the query of that name if it runs."""
        return self._running.get(query_id)

    def all(self) -> list[Running]:
        """Return every query that runs."""
        return list(self._running.values())

    def source(self) -> str:
        """
        Return the table that stands in for `system.processes`.

        It shows what the engine runs and, borrowing a row's other columns, what still waits in front of it: an
        insert whose body is on its way is running, too.
        """
        now_s = time.monotonic()
        waiting = ", ".join(
            f"({quoted(each.query_id)}, {quoted(each.user)}, {quoted(each.text[:1000])}, {now_s - each.begun_s:.6f})"
            for each in self._running.values()
        )
        if not waiting:
            return _PROCESSES
        ours = (
            "SELECT * EXCEPT (ours) REPLACE (ours.1 AS query_id, ours.1 AS initial_query_id, ours.2 AS user, "
            "ours.3 AS query, ours.4 AS elapsed) FROM (SELECT * FROM system.processes LIMIT 1) "
            f"ARRAY JOIN [{waiting}] AS ours WHERE ours.1 NOT IN (SELECT query_id FROM {_PROCESSES})"
        )
        return f"(SELECT * FROM {_PROCESSES} UNION ALL {ours})"


def with_processes(text: str, registry: Registry) -> str:
    """Return the statement with the registry's table in the place of the engine's own."""
    for start, end, select in reversed(_places(text)):
        text = text[:start] + select + registry.source() + text[end:]
    return text


def _places(text: str) -> list[tuple[int, int, str]]:
    """Return where `system.processes` is read, and what SHOW PROCESSLIST needs before it."""
    if "process" not in text.lower():
        return []
    found = list(tokens(text))
    if len(found) > 1 and found[0].says("SHOW") and found[1].says("PROCESSLIST"):
        return [(found[0].start, found[1].end, "SELECT * FROM ")]
    return [
        (first.start, last.end, "")
        for first, dot, last in zip(found, found[1:], found[2:], strict=False)
        if dot.text == "." and _is(first, "system") and _is(last, "processes")
    ]


def _is(token: Token, name: str) -> bool:
    return token.text.strip('`"') == name


def engine_id_query(query_id: str) -> str:
    """Return the question for the engine's own name of a client's query; its text does not find itself."""
    named = quoted(quote(query_id, safe="") + "&")
    return f"SELECT query_id FROM system.processes WHERE position(query, concat('/*request=', {named})) > 0"  # noqa: S608  (quoted)
