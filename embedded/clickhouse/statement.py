"""What a statement is: a read that streams, an insert whose data follows, or anything else."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from embedded.clickhouse.errors import INTO_OUTFILE_NOT_ALLOWED, NOT_IMPLEMENTED, SYNTAX_ERROR, ClickHouseError
from embedded.clickhouse.lexer import Token, literal, tokens, unquoted

# Longer texts are refused by the engine's max_query_size unless it is raised; we only look at their tail.
LONGEST_LEXED_BYTES: Final = 262_144

_NO_INPUT: Final = "INSERT SELECT FROM input() is not supported: insert into a Null table with a materialized view"
_READS: Final = ("SELECT", "WITH", "FROM")
_TAIL_FORMAT: Final = re.compile(r"\bFORMAT\s+(\w+)\s*(?:SETTINGS[^;']*)?;?\s*\Z", re.IGNORECASE)


class Statement(NamedTuple):
    """One statement; offsets count bytes of its text."""

    verb: str
    kind: str  # "read", "insert" or "other"
    format: str  # "" when the text names none
    output_at: int  # where INTO OUTFILE would stand
    end: int  # behind the last token, without the semicolon
    data_at: int = -1  # where the data of an insert begins
    settings: tuple[tuple[str, str], ...] = ()  # of a SET
    database: str = ""  # of a USE


def analyse(text: bytes) -> Statement:
    """
    Return what the text is.

    Raises:
        ClickHouseError: nothing in it, several statements, or INTO OUTFILE, which the HTTP face has no file for.
    """
    sql = text.decode("latin-1")  # one character a byte, so offsets hold for the bytes
    insert = _insert(sql)
    if insert is not None:
        return insert
    if len(sql) > LONGEST_LEXED_BYTES:
        return _long(sql)
    found = list(tokens(sql))
    end = _single(sql, found)
    found = [token for token in found if token.end <= end]
    if found and found[0].kind == "sign" and found[0].text != "(":  # the engine would take it for nothing to do
        raise ClickHouseError(SYNTAX_ERROR, f"Syntax error: failed at position 1 ({sql[:20]!r})")
    if not found:
        raise ClickHouseError(SYNTAX_ERROR, "Syntax error: failed at position 1 (end of query): . Empty query")
    return _plain(found, end)


def _plain(found: list[Token], end: int) -> Statement:
    verb = found[0].text.upper()
    top = [token for token in found if token.depth == 0]
    if verb == "INSERT" and any(word.says("INPUT") and sign.text == "(" for word, sign in pairwise(found)):
        raise ClickHouseError(NOT_IMPLEMENTED, _NO_INPUT)  # the engine would insert nothing, and say so to nobody
    _refuse_files(top)
    named = _format_clause(top)
    reads = found[0].says(*_READS) or (verb == "(" and len(found) > 1 and found[1].says(*_READS, "("))
    if verb == "WITH" and any(token.says("INSERT") for token in top):
        reads = False
    return Statement(
        verb=verb,
        kind="read" if reads else "other",
        format=unquoted(named[1]) if named else "",
        output_at=named[0].start if named else end,
        end=end,
        settings=_assignments(found) if verb == "SET" else (),
        database=unquoted(found[1]) if verb == "USE" and len(found) > 1 else "",
    )


def _long(sql: str) -> Statement:
    end = len(sql.rstrip().rstrip(";"))
    found = _TAIL_FORMAT.search(sql, max(0, end - 1000))
    verb = next((token.text.upper() for token in tokens(sql[:4096])), "")
    return Statement(verb, "other", found[1] if found else "", found.start() if found else end, end)


def _single(sql: str, found: list[Token]) -> int:
    closed = next((index for index, token in enumerate(found) if token.text == ";" and token.depth == 0), None)
    if closed is None:
        return found[-1].end if found else 0
    if any(token.text != ";" for token in found[closed + 1 :]):
        at = found[closed].start + 1
        tail = sql[at - 1 : at + 40].strip()
        message = f"Syntax error (Multi-statements are not allowed): failed at position {at} (end of query): {tail}."
        raise ClickHouseError(SYNTAX_ERROR, message)
    return found[closed].start


def _refuse_files(top: list[Token]) -> None:
    """Raise for a clause about files: the client would mean its own, the engine would take the server's."""
    for word, following in pairwise(top):
        if word.says("INTO") and following.says("OUTFILE"):
            raise ClickHouseError(INTO_OUTFILE_NOT_ALLOWED, "INTO OUTFILE is not allowed")
        if word.says("FROM") and following.says("INFILE"):
            raise ClickHouseError(NOT_IMPLEMENTED, "FROM INFILE is for clients that read their own files")


def _format_clause(top: list[Token]) -> tuple[Token, Token] | None:
    """Return the keyword and the name of a closing FORMAT clause; `format` is also a name and a function."""
    for index in range(len(top) - 2, 0, -1):
        keyword, name = top[index], top[index + 1]
        if keyword.says("FORMAT") and name.kind in ("word", "quoted") and not top[index - 1].says("AS"):
            behind = top[index + 2 : index + 3]
            return (keyword, name) if not behind or behind[0].says("SETTINGS", "INTO") else None
    return None


def _assignments(found: list[Token]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for index, token in enumerate(found):
        if token.text == "=" and token.depth == 0 and 0 < index < len(found) - 1:
            value = found[index + 1]
            sign = "-" if value.text == "-" and index + 2 < len(found) else ""
            pairs.append((unquoted(found[index - 1]), sign + literal(found[index + 2] if sign else value)))
    return tuple(pairs)


def insert_with_data(text: bytes) -> Statement | None:
    """Return what an insert is whose data follows; its beginning is enough to know."""
    return _insert(text[:LONGEST_LEXED_BYTES].decode("latin-1"))


def _insert(sql: str) -> Statement | None:
    seen: list[Token] = []
    for token in _from_insert(sql):
        if _names_format(seen, token):
            return _with_data(sql, seen[-1].start, token)
        names_table = bool(seen) and (seen[-1].says("INTO", "TABLE") or seen[-1].text == ".")
        if not names_table and token.depth == 0 and token.says("VALUES"):
            return Statement("INSERT", "insert", "Values", token.start, token.start, token.end)
        if not names_table and token.says("SELECT", "WITH", "EXPLAIN", "INFILE", "WATCH"):
            return None
        seen.append(token)
    if not seen:
        return None
    end = seen[-1].start if seen[-1].text == ";" else seen[-1].end
    return Statement("INSERT", "insert", "", end, end, len(sql))


def _from_insert(sql: str) -> Iterator[Token]:
    """Yield the tokens from INSERT on; none if the statement is another."""
    found = tokens(sql)
    first = next(found, None)
    if first is not None and first.says("WITH"):
        first = next((token for token in found if token.depth == 0 and token.says("INSERT", "SELECT")), None)
    if first is not None and first.says("INSERT"):
        yield first
        yield from found


def _names_format(seen: list[Token], token: Token) -> bool:
    if token.depth or token.kind not in ("word", "quoted") or len(seen) < 3 or not seen[-1].says("FORMAT"):  # noqa: PLR2004  (INSERT, a table, FORMAT)
        return False
    return not seen[-2].says("INTO", "TABLE") and seen[-2].text != "."  # a table may be called format


def _with_data(sql: str, keyword_at: int, name: Token) -> Statement:
    # As the server's parser does it: blanks, then at most one line break, and the data begins.
    at = name.end
    while sql[at : at + 1] in (" ", "\t", "\f", ";") and at < len(sql):
        at += 1
    if sql[at : at + 1] == "\r":
        at += 1
    if sql[at : at + 1] == "\n":
        at += 1
    return Statement("INSERT", "insert", unquoted(name), keyword_at, keyword_at, at)
