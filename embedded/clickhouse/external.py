"""External tables: files sent with a query, standing in for tables while it runs."""

from collections.abc import Mapping
from typing import NamedTuple

from embedded.clickhouse.errors import BAD_ARGUMENTS, ClickHouseError
from embedded.clickhouse.forms import Part
from embedded.clickhouse.handle import Handle
from embedded.clickhouse.lexer import backquoted, tokens


class ExternalTable(NamedTuple):
    """A table's name, columns and data, in a format the engine reads."""

    name: str
    structure: str
    format: str
    data: bytes

    def create(self, handle: Handle) -> None:
        """Create and fill the table, for this handle alone."""
        name = backquoted(self.name).encode("utf-8", "surrogateescape")
        structure = self.structure.encode("utf-8", "surrogateescape")
        handle.query(b"CREATE TEMPORARY TABLE %s (%s)" % (name, structure), "Null", {})
        insert = handle.insert(b"INSERT INTO %s" % name, self.format, {})
        try:
            insert.append(self.data)
        except ClickHouseError:
            insert.cancel()
            raise
        insert.finish()

    def drop(self, handle: Handle) -> None:
        """Take the table away again."""
        handle.query(b"DROP TEMPORARY TABLE IF EXISTS " + backquoted(self.name).encode(), "Null", {})


def external_tables(parts: list[Part], params: Mapping[str, str]) -> list[ExternalTable]:
    """
    Return the tables that the files of a form are.

    Raises:
        ClickHouseError: neither structure nor types are given for one of them.
    """
    return [
        ExternalTable(
            part.name, _structure(part.name, params), params.get(f"{part.name}_format", "TabSeparated"), part.data
        )
        for part in parts
        if part.is_file
    ]


def parameter_names(tables: list[ExternalTable]) -> set[str]:
    """Return the parameters that describe tables, and are no settings."""
    return {f"{table.name}_{what}" for table in tables for what in ("format", "structure", "types")}


def _structure(name: str, params: Mapping[str, str]) -> str:
    if structure := params.get(f"{name}_structure"):
        return ", ".join(_columns(structure))
    types = params.get(f"{name}_types")
    if not types:
        message = f"Neither structure nor types have been provided for external table {name}"
        raise ClickHouseError(BAD_ARGUMENTS, f"{message}. Use fields {name}_structure or {name}_types to do so.")
    return ", ".join(f"_{number} {kind}" for number, kind in enumerate(_columns(types), 1))


def _columns(text: str) -> list[str]:
    """Return the text cut at the commas between columns, not at those inside a type."""
    cuts = [token.start for token in tokens(text) if token.text == "," and token.depth == 0]
    return [text[start:end].strip(" ,") for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
