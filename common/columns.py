"""What a column and a table are: their place in the record, and how ClickHouse stores them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from common.streams import Stream

Kind = Literal[
    "text", "word", "time", "number", "whole", "flag", "texts", "numbers", "counts", "count", "small", "real"
]

# What a kind is in ClickHouse. Codecs were chosen by size and speed on recorded sessions (docs/schema.md).
SQL_TYPE: dict[Kind, str] = {
    "text": "String",
    "word": "LowCardinality(String)",
    "time": "DateTime64(9, 'UTC')",
    "number": "Decimal(38, 18)",
    "whole": "Decimal(38, 0)",
    "flag": "Bool",
    "texts": "Array(String)",
    "numbers": "Array(Decimal(38, 18))",
    "counts": "Array(UInt64)",
    "count": "UInt64",
    "small": "UInt16",
    "real": "Float64",
}
CODEC: dict[Kind, str] = {
    "text": "ZSTD(1)",
    "word": "ZSTD(1)",
    "time": "Delta, ZSTD(1)",
    "number": "ZSTD(1)",
    "whole": "ZSTD(1)",
    "flag": "ZSTD(1)",
    "texts": "ZSTD(1)",
    "numbers": "ZSTD(1)",
    "counts": "ZSTD(1)",
    "count": "DoubleDelta, ZSTD(1)",
    "small": "ZSTD(1)",
    "real": "Gorilla, ZSTD(1)",
}


@dataclass(frozen=True)
class Column:
    """A column; `field` is where it comes from in the record, `optional` whether it may be missing there."""

    name: str
    kind: Kind
    field: str
    comment: str
    optional: bool = False

    @property
    def sql_type(self) -> str:
        """Return the column's type in ClickHouse."""
        plain = SQL_TYPE[self.kind]
        if self.optional and self.kind == "word":
            return "LowCardinality(Nullable(String))"  # the one way round that the engine allows
        return f"Nullable({plain})" if self.optional else plain


@dataclass(frozen=True)
class Table:
    """
    A table and the stream that fills it.

    Every row also has `shard` and `offset`, the place of its record, so that completeness can be proven by SQL.
    `identity` are the columns by which a record is known that may come a second time, under another number. `removed`
    is the name of the table that takes the rows which their source takes back, with the records that say so. Rows live
    as long as `ttl` says, an expression of SQL, or for ever.
    """

    name: str
    source: Stream
    columns: tuple[Column, ...]
    order_by: str
    partition_by: str
    comment: str
    engine: str = "MergeTree"
    identity: tuple[str, ...] = ()
    removed: str = ""
    ttl: str = ""

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Return the columns with the record's place behind them."""
        return (*self.columns, *PLACE)


PLACE = (
    Column("shard", "small", "shard", "shard of the stream that held the record"),
    Column("offset", "count", "offset", "running number of the record in its shard: dense, so a hole is visible"),
)


def removed_of(table: Table) -> Table:
    """Return the table that takes what is removed from another."""
    comment = f"Rows of {table.name} that their source took back, and the records (source: removed) that say so."
    return replace(table, name=table.removed, removed="", comment=comment)


def records_of(table: Table, columns: Sequence[str]) -> str:
    """Return where SQL finds columns of every record of a table's stream, also of those that were removed."""
    if not table.removed:
        return table.name
    told = ", ".join(columns)
    return f"(SELECT {told} FROM {table.name} UNION ALL SELECT {told} FROM {table.removed})"  # noqa: S608  from TABLES


def columns_of_a_row(table: Table) -> tuple[str, ...]:
    """Return the columns by which a row is known: a server that lost its newest records gives their numbers again."""
    return ("offset", "received_time", *table.identity)


def create_sql(table: Table) -> str:
    """Return the statement that creates a table; deduplication and fsync as measured in docs/schema.md."""
    columns = ",\n".join(
        f"    {column.name} {column.sql_type} CODEC({CODEC[column.kind]}) COMMENT '{_quoted(column.comment)}'"
        for column in table.all_columns
    )
    ttl = f"TTL {table.ttl}\n" if table.ttl else ""
    return (
        f"CREATE TABLE IF NOT EXISTS {table.name}\n(\n{columns},\n"
        "    INDEX place offset TYPE minmax GRANULARITY 1\n)\n"
        f"ENGINE = {table.engine}\nPARTITION BY {table.partition_by}\nORDER BY {table.order_by}\n{ttl}"
        "SETTINGS non_replicated_deduplication_window = 10000,\n"
        "         fsync_after_insert = 1, fsync_part_directory = 1,\n"
        "         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1\n"
        f"COMMENT '{_quoted(table.comment)}'"
    )


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
