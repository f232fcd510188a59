"""What a statement may not say at readonly 1: the engine itself refuses most of it, and the rest is refused here."""

from typing import Final

from embedded.clickhouse.errors import READONLY, ClickHouseError
from embedded.clickhouse.lexer import tokens, unquoted
from embedded.clickhouse.request import Request
from embedded.clickhouse.statement import LONGEST_LEXED_BYTES, Statement

_HARMLESS: Final = frozenset({"SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "USE"})
_NOT_ALLOWED: Final = "Cannot execute query in readonly mode"
_GET_HINT: Final = (
    "For queries over HTTP, method GET implies readonly. You should use method POST for modifying queries"
)
# The function `file` reads any file and the table function `Python` any frame of this process, whatever readonly says.
_REACHING_OUT: Final = frozenset({"file", "python"})


def refuse_writes(request: Request, statement: Statement) -> None:
    """Raise for a statement that could change something, when the request may not."""
    readonly = request.readonly
    if not readonly:
        return
    if statement.kind != "read" and statement.verb not in _HARMLESS and (statement.verb, readonly) != ("SET", 2):
        hint = f". {_GET_HINT}" if request.method != "POST" else ""
        raise ClickHouseError(READONLY, _NOT_ALLOWED + hint)
    if request.user.readonly == 1 and request.settings:
        raise ClickHouseError(READONLY, f"Cannot modify '{next(iter(request.settings))}' setting in readonly mode")


def refuse_reaching_out(request: Request, statement: Statement, text: bytes) -> None:
    """
    Raise at readonly 1 for what would read a file, this process or the network all the same.

    Names are refused wherever they stand: a function may also be handed to another one by its name alone.
    """
    if request.readonly != 1:
        return
    if len(text) > LONGEST_LEXED_BYTES:
        raise ClickHouseError(READONLY, f"{_NOT_ALLOWED}: longer than {LONGEST_LEXED_BYTES} bytes")
    for token in tokens(text[: statement.end].decode("latin-1")):
        if token.kind == "quoted" and "\\" in token.text:  # `\x66ile` would be another spelling
            raise ClickHouseError(READONLY, f"{_NOT_ALLOWED}: a quoted name with a backslash")
        if token.kind in ("word", "quoted") and unquoted(token).lower() in _REACHING_OUT:
            raise ClickHouseError(READONLY, f"{_NOT_ALLOWED}: {unquoted(token)}")
        if statement.verb in ("DESCRIBE", "DESC") and token.text == "(":  # the engine would go and look
            raise ClickHouseError(READONLY, f"{_NOT_ALLOWED}: only a table can be described")
