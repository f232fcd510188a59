"""What a page shows, as a file: every field of every line, and nothing that a spreadsheet would run."""

import csv

from monitoring.exports import exported


def _rows(lines):
    pieces, _ = exported(lines, "csv")
    return list(csv.DictReader(b"".join(pieces).decode().splitlines()))


def test_a_column_stands_for_each_field_of_any_line():
    rows = _rows([{"id": "1-0", "record": {"price": "1.5"}}, {"id": "2-0", "record": {"size": 2, "deep": {"a": [1]}}}])

    assert ["id", "record.price", "record.size", "record.deep"] == list(rows[0])
    assert ("1.5", "", "") == tuple(rows[0][f"record.{name}"] for name in ("price", "size", "deep"))
    assert ("", "2", '{"a":[1]}') == tuple(rows[1][f"record.{name}"] for name in ("price", "size", "deep"))


def test_what_looks_like_a_formula_is_text_and_a_number_stays_one():
    row = _rows([{"a": "=HYPERLINK()", "b": "-1.25", "c": -3, "d": "@x", "e": None}])[0]

    assert ("'=HYPERLINK()", "-1.25", "-3", "'@x", "") == tuple(row.values())


def test_json_lines_are_the_lines():
    pieces, kind = exported([{"a": None, "b": [1]}], "jsonl")

    assert (b'{"a":null,"b":[1]}\n', "application/x-ndjson") == (b"".join(pieces), kind)
