"""ClickHouse SQL cut into tokens: just enough to see where a statement's clauses and inline data begin."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_SCANNER: Final = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|//[^\n]*|\#[!\ ][^\n]*)
  | (?P<comment>/\*)
  | (?P<string>'(?:[^'\\]|\\.|'')*')
  | (?P<quoted>`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")
  | (?P<heredoc>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
  | (?P<number>\d[\w.]*)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")


class Token(NamedTuple):
    """A word, string, number, quoted name or sign; `depth` counts the brackets around it."""

    kind: str
    text: str
    start: int
    end: int
    depth: int

    def says(self, *words: str) -> bool:
        """Return whether this is one of the given keywords, in any case."""
        return self.kind == "word" and self.text.upper() in words


def tokens(sql: str, start: int = 0) -> Iterator[Token]:
    """Yield the tokens behind `start`; an unfinished string or comment ends them early."""
    depth = 0
    position = start
    while position < len(sql):
        found = _SCANNER.match(sql, position)
        if found is None:
            return
        kind = found.lastgroup or "sign"
        position = found.end()
        if kind == "comment":
            position = _end_of_comment(sql, position)
        elif kind != "space":
            text = found[0]
            if kind == "sign" and text in ")]}":
                depth -= 1
            yield Token(kind, text, found.start(), position, depth)
            if kind == "sign" and text in "([{":
                depth += 1


def unquoted(token: Token) -> str:
    """Return the name a word or a quoted identifier stands for."""
    if token.kind != "quoted":
        return token.text
    mark = token.text[0]
    return re.sub(r"\\(.)", r"\1", token.text[1:-1].replace(mark * 2, mark))


def literal(token: Token) -> str:
    """Return the value of a string or number token, as text."""
    if token.kind != "string":
        return token.text
    return re.sub(r"\\(.)", r"\1", token.text[1:-1].replace("''", "'"))


def quoted(text: str) -> str:
    """Return the text as a SQL string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def backquoted(name: str) -> str:
    """Return the name as a quoted identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _end_of_comment(sql: str, position: int) -> int:
    nested = 1
    while nested:
        edge = _COMMENT_EDGE.search(sql, position)
        if edge is None:
            return len(sql)
        nested += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position
