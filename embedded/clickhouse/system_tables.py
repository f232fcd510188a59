"""
`system.processes` and `system.query_log`, under the names that clients gave their queries.

The engine knows its queries by names of its own and keeps no log. Wherever a statement reads one of the two tables,
a subquery is put in its place: the engine's own list with the clients' names read back from the marks, and the
log as the registry remembers it.
"""

import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from embedded.clickhouse.lexer import Token, quoted, tokens
from embedded.clickhouse.registry import Registry, Running, escaped

_MARK: Final = r"/\\*request=([^&*]*)&user=([^&*]*)\\*/"
_NAMED: Final = f"match(query, '{_MARK}')"
_QUERY_ID: Final = r"decodeURLComponent(extract(query, '/\\*request=([^&*]*)&'))"
_USER: Final = r"decodeURLComponent(extract(query, '&user=([^&*]*)\\*/'))"
_HINT: Final = re.compile(r"process|query_log|show\s+create", re.IGNORECASE)
_SHOWN: Final = 300
_LOG_BYTES: Final = 180_000  # max_query_size is 262,144
_LOG_COLUMNS: Final = (
    "type String, event_date Date, event_time DateTime, event_time_microseconds DateTime64(6), "
    "query_start_time DateTime, query_start_time_microseconds DateTime64(6), query_duration_ms UInt64, "
    "read_rows UInt64, read_bytes UInt64, written_rows UInt64, written_bytes UInt64, result_rows UInt64, "
    "query String, query_kind String, exception_code Int32, exception String, is_initial_query UInt8, "
    "user String, query_id String, initial_user String, initial_query_id String"
)


def with_system_tables(text: str, registry: Registry) -> str:
    """Return the statement with our tables in it; text and result have one character a byte."""
    for start, end, source in reversed(_places(text)):
        text = text[:start] + source(registry).encode("utf-8", "surrogateescape").decode("latin-1") + text[end:]
    return text


def processes(registry: Registry) -> str:
    """
    Return the subquery for `system.processes`.

    It has what the engine runs and, borrowing a row's other columns, what still waits in front of it: an insert
    whose body is on its way is running, too.
    """
    running = registry.running()
    rewritten = [each for each in running if each.rewritten]
    texts = f"{_strings(each.query_id for each in rewritten)}, {_strings(each.text for each in rewritten)}"
    engine = (
        f"SELECT * REPLACE (if({_NAMED}, {_QUERY_ID}, query_id) AS query_id, "  # noqa: S608  (quoted)
        f"if({_NAMED}, {_QUERY_ID}, initial_query_id) AS initial_query_id, if({_NAMED}, {_USER}, user) AS user, "
        f"transform({_QUERY_ID}, {texts}, replaceRegexpAll(query, '\\\\s*{_MARK}', '')) AS query) FROM system.processes"
    )
    waiting = ", ".join(f"({_fields(each)}, {each.elapsed_ns / 1e9})" for each in running)
    return (
        f"(SELECT * FROM ({engine}) UNION ALL "  # noqa: S608  (quoted)
        "SELECT * EXCEPT (ours) REPLACE (ours.1 AS query_id, ours.1 AS initial_query_id, ours.2 AS user, "
        "ours.3 AS query, ours.4 AS elapsed) FROM (SELECT * FROM system.processes LIMIT 1) "
        f"ARRAY JOIN [{waiting}] AS ours WHERE ours.1 NOT IN (SELECT query_id FROM ({engine})))"
    )


def query_log(registry: Registry) -> str:
    """Return the subquery for `system.query_log`: the last queries, as many as a statement may hold."""
    lines: list[str] = []
    room_bytes = _LOG_BYTES
    for each in reversed(registry.ended()):
        line = quoted(json.dumps(_log_row(each)) + "\n")[1:-1]
        room_bytes -= len(line)
        if room_bytes < 0:
            break
        lines.append(line)
    return f"(SELECT * FROM format('JSONCompactEachRow', '{_LOG_COLUMNS}', '{''.join(lines)}'))"  # noqa: S608  (quoted)


def engine_id_query(query_id: str) -> str:
    """Return the question for the engine's own name of a client's query; its text does not find itself."""
    named = quoted(escaped(query_id) + "&")
    return f"SELECT query_id FROM system.processes WHERE position(query, concat('/*request=', {named})) > 0"  # noqa: S608  (quoted)


_TABLES: Final[dict[str, Callable[[Registry], str]]] = {"processes": processes, "query_log": query_log}


def _places(text: str) -> list[tuple[int, int, Callable[[Registry], str]]]:
    """Return where a statement asks what only a server could tell, and what tells it instead."""
    found = list(tokens(text)) if _HINT.search(text) else []
    show = found[1].text.upper() if len(found) > 1 and found[0].says("SHOW") else ""
    if show == "PROCESSLIST":
        return [(found[0].start, found[1].end, _process_list)]
    read = [
        (first.start, last.end, _name(last))
        for first, dot, last in zip(found, found[1:], found[2:], strict=False)
        if dot.text == "." and _name(first) == "system"
    ]
    if show == "CREATE":
        return [(found[0].start, end, partial(_definition, table)) for _, end, table in read[:1]]
    return [(start, end, _TABLES[table]) for start, end, table in read if table in _TABLES]


def _process_list(registry: Registry) -> str:
    return f"SELECT * FROM {processes(registry)}"  # noqa: S608  (quoted)


def _definition(table: str, _: Registry) -> str:
    """Return the query for a system table's definition; the engine says that it has none."""
    return (
        "SELECT concat('CREATE TABLE system.', name, '\\n(\\n    ', (SELECT arrayStringConcat(groupArray("  # noqa: S608  (quoted)
        "concat('`', name, '` ', type)), ',\\n    ') FROM system.columns WHERE database = 'system' "
        f"AND table = {quoted(table)}), '\\n)\\nENGINE = ', engine) AS statement FROM system.tables "
        f"WHERE database = 'system' AND name = {quoted(table)}"
    )


def _name(token: Token) -> str:
    return token.text.strip('`"')


def _strings(values: Iterable[str]) -> str:
    return "[" + ", ".join(quoted(value) for value in values) + "]"


def _fields(running: Running) -> str:
    return f"{quoted(running.query_id)}, {quoted(running.user)}, {quoted(running.text[:_SHOWN])}"


def _log_row(ended: Running) -> list[str | int]:
    """Return the values of the log's columns, in their order."""
    outcome, error = ended.outcome, ended.error
    begun_us = ended.begun_ns // 1000
    event_us = begun_us + outcome.elapsed_ns // 1000
    return [
        "QueryFinish" if error is None else "ExceptionWhileProcessing",
        event_us // 86_400_000_000,
        event_us // 1_000_000,
        f"{event_us / 1e6:.6f}",
        begun_us // 1_000_000,
        f"{begun_us / 1e6:.6f}",
        outcome.elapsed_ns // 1_000_000,
        outcome.read_rows,
        outcome.read_bytes,
        outcome.written_rows,
        outcome.written_bytes,
        outcome.result_rows,
        ended.text[:_SHOWN],
        (ended.text.split(maxsplit=1) or [""])[0].capitalize()[:20],
        error.code if error else 0,
        str(error)[:_SHOWN] if error else "",
        1,
        *(ended.user, ended.query_id) * 2,
    ]
