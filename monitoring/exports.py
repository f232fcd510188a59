"""Lines of a page as a file: JSON lines as they are, or CSV with a column for each field of any line."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

FORMULA = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")


def exported(lines: Iterable[Any], form: str) -> tuple[Iterator[bytes], str]:
    """Return the pieces of a file and its media type."""
    if form == "csv":
        return _csv(list(lines)), "text/csv; charset=utf-8"
    return (msgspec.json.encode(line) + b"\n" for line in lines), "application/x-ndjson"


def _csv(lines: list[Any]) -> Iterator[bytes]:
    rows = [_flat(msgspec.to_builtins(line)) for line in lines]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    yield text.getvalue().encode()


def _flat(line: dict[str, Any]) -> dict[str, str]:
    """Return a line with the fields of its record beside its own; what is nested deeper stays JSON."""
    record = line.get("record")
    fields = {**{name: value for name, value in line.items() if name != "record"}, **_fields(record)}
    return {name: _cell(value) for name, value in fields.items()}


def _fields(record: object) -> dict[str, Any]:
    if record is None:
        return {}
    if not isinstance(record, dict):
        return {"record": record}
    return {f"record.{name}": value for name, value in record.items()}


def _cell(value: object) -> str:
    """Return a value as text; one that a spreadsheet would take for a formula is quoted, as those run."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return msgspec.json.encode(value).decode()
    return f"'{value}" if value.startswith(FORMULA) and not NUMBER.fullmatch(value) else value
