"""Records to frames with declared columns, and frames to the columns of a table."""

from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec
import polars as pl

from common.columns import Column, Kind, Table
from common.records import Record

PRICE = pl.Decimal(38, 18)
POLARS_TYPE: dict[Kind, pl.DataType] = {
    "text": pl.String(),
    "word": pl.String(),
    "time": pl.Datetime("ns", "UTC"),
    "number": PRICE,
    "whole": pl.Decimal(38, 0),
    "flag": pl.Boolean(),
    "texts": pl.List(pl.String),
    "numbers": pl.List(PRICE),
    "counts": pl.List(pl.UInt64),
    "count": pl.UInt64(),
    "small": pl.UInt16(),
    "real": pl.Float64(),
}


@cache
def schema_of(record_type: type[Record]) -> dict[str, pl.DataType]:
    """Return the columns of a frame of such records: Int64, Float64, Boolean, List for arrays, all else String."""
    return {field.name: _dtype(field.type) for field in msgspec.structs.fields(record_type)}


def _dtype(hint: object) -> pl.DataType:
    described = str(hint)
    if "Literal" in described:
        return pl.String()
    if "tuple" in described:
        return pl.List(pl.Int64 if "int" in described else pl.String)
    if "float" in described:
        return pl.Float64()
    if "bool" in described:
        return pl.Boolean()
    return pl.Int64() if "int" in described else pl.String()


def frame_of(records: Sequence[msgspec.Struct], record_type: type[Record]) -> pl.DataFrame:
    """
    Return one column per field, one row per record, in order; with its columns even when empty.

    Records of `decode_alike` lack the fields that none of them tells: there every row has the default.
    """
    told = records[0].__struct_fields__ if records else record_type.__struct_fields__
    columns = []
    for name, dtype in schema_of(record_type).items():
        if name in told:
            columns.append(_series(name, list(map(attrgetter(name), records)), dtype))
        else:
            columns.append(_repeated(name, _default_of(record_type, name), len(records), dtype))
    return pl.DataFrame(columns)


@cache  # looking it up takes longer than making the column of a small batch
def _default_of(record_type: type[Record], name: str) -> Any:  # noqa: ANN401  of any column
    default = next(field.default for field in msgspec.structs.fields(record_type) if field.name == name)
    return list(default) if isinstance(default, tuple) else default


def _repeated(name: str, value: Any, rows: int, dtype: pl.DataType) -> pl.Series:  # noqa: ANN401  of any column
    return pl.Series(name, [value], dtype=dtype).new_from_index(0, rows)  # `pl.repeat` costs a tenth of a millisecond


def _series(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    """Return a column; one that says the same in every row, as many do, is made without looking at each again."""
    if values and values[0] == values[-1] and not dtype.is_nested() and values.count(values[0]) == len(values):
        return _repeated(name, values[0], len(values), dtype)
    return pl.Series(name, values, dtype=dtype)


def table_frame(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """
    Return the rows in a table's columns and types.

    Args:
        frame: the fields of the table's record, with `shard` and `offset`.
        table: where the rows are to go.

    Raises:
        polars.exceptions.InvalidOperationError: a value does not fit or is missing; `unfit` tells which.
    """
    typed = frame.select(_cast(column, strict=True) for column in table.all_columns)
    if any(typed[column.name].null_count() for column in table.all_columns if not column.optional):
        # ClickHouse would take its default for a null, which is 0: a value that nobody told.
        raise pl.exceptions.InvalidOperationError(f"expected a value in every row of {table.name}, found null")
    return typed


def unfit(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return (offset, reason) of the rows that have a value that does not fit its column, or lack one."""
    faults = [
        pl.when(_fault(column)).then(pl.lit(f"{column.name}: expected {column.sql_type}"))
        for column in table.all_columns
    ]
    judged = frame.select("offset", faults=pl.concat_list(faults).list.drop_nulls())
    return judged.filter(pl.col("faults").list.len() > 0).select("offset", reason=pl.col("faults").list.join("; "))


def _cast(column: Column, *, strict: bool) -> pl.Expr:
    value = pl.col(column.field)
    if column.kind == "time":
        return value.cast(pl.Datetime("ns"), strict=strict).dt.replace_time_zone("UTC").alias(column.name)
    return value.cast(POLARS_TYPE[column.kind], strict=strict).alias(column.name)


def _fault(column: Column) -> pl.Expr:
    cast = _cast(column, strict=False)
    if column.kind in ("texts", "numbers", "counts"):
        return cast.is_null() | cast.list.eval(pl.element().is_null()).list.any()
    missing = cast.is_null()
    return missing & pl.col(column.field).is_not_null() if column.optional else missing
