"""What a text is, seen without the engine: where its format and its data begin, and what is refused."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded.clickhouse import forms, grafana
from embedded.clickhouse.errors import ClickHouseError, from_engine
from embedded.clickhouse.external import external_tables
from embedded.clickhouse.lexer import tokens
from embedded.clickhouse.native import Column, with_time_zones
from embedded.clickhouse.statement import analyse


@pytest.mark.parametrize(
    ("text", "format_name", "data"),
    [
        (b"INSERT INTO t (a, b) FORMAT Native\n\x01\x02", "Native", b"\x01\x02"),
        (b"insert into t format CSV 1,2", "CSV", b"1,2"),
        (b"INSERT INTO t FORMAT TSV\r\n1\n2", "TSV", b"1\n2"),
        (b"INSERT INTO t FORMAT RowBinary\n\n\n", "RowBinary", b"\n\n"),
        (b"INSERT INTO t SETTINGS async_insert = 0 FORMAT CSV\n1", "CSV", b"1"),
        (b"INSERT INTO t VALUES (1), (2)", "Values", b" (1), (2)"),
        (b"/* FORMAT CSV */ INSERT INTO `format` FORMAT TSV\n7", "TSV", b"7"),
        (b"INSERT INTO format FORMAT TSV\n7", "TSV", b"7"),
        (b"INSERT INTO d.values VALUES (1)", "Values", b" (1)"),
        (b"WITH 1 AS x INSERT INTO t FORMAT CSV\n1;", "CSV", b"1;"),
        (b"INSERT INTO t", "", b""),
    ],
)
def test_the_data_of_an_insert_begins_where_the_servers_parser_says(text, format_name, data):
    statement = analyse(text)

    assert ("insert", format_name, data) == (statement.kind, statement.format, text[statement.data_at :])


@pytest.mark.parametrize(
    ("text", "kind", "format_name"),
    [
        (b"SELECT 1", "read", ""),
        (b"select 1 format JSON", "read", "JSON"),
        (b"SELECT 1 FORMAT JSON SETTINGS max_threads = 1;", "read", "JSON"),
        (b"SELECT 'x FORMAT CSV'", "read", ""),
        (b"SELECT format('{}', 1) AS format FROM t format", "read", ""),
        (b"SELECT 1 -- FORMAT CSV", "read", ""),
        (b"/* outer /* nested */ done */\n#! clickhouse\n# hash\n// slash\n-- dash\nSELECT 1", "read", ""),
        (b"WITH 1 AS x SELECT x FORMAT TSV", "read", "TSV"),
        (b"(SELECT 1) UNION ALL (SELECT 2) FORMAT TSV", "read", "TSV"),
        (b"INSERT INTO t SELECT 1", "other", ""),
        (b"INSERT INTO t (a) WITH 1 AS x SELECT x", "other", ""),
        (b"CREATE TABLE t (a Int32) ENGINE = Memory", "other", ""),
        (b"SHOW TABLES FORMAT JSON", "other", "JSON"),
    ],
)
def test_a_statement_is_a_read_an_insert_with_data_or_another(text, kind, format_name):
    statement = analyse(text)

    assert (kind, format_name) == (statement.kind, statement.format)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", 62),
        (b" -- nothing", 62),
        (b"\xff\xfe\x00garbage", 62),
        (b"SELECT 1; DROP TABLE t", 62),
        (b"SELECT 1 INTO OUTFILE '/etc/passwd'", 358),
        (b"INSERT INTO t SELECT a FROM input('a Int32') FORMAT CSV\n1", 48),
    ],
)
def test_what_would_surprise_is_refused(text, code):
    with pytest.raises(ClickHouseError) as caught:
        analyse(text)
    assert code == caught.value.code


def test_a_semicolon_at_the_end_is_no_second_statement():
    statement = analyse(b"SELECT 1 ;; ")

    assert len(b"SELECT 1") == analyse(b"SELECT 1;").end == statement.end - 1


@settings(deadline=None)  # a busy machine is no bug
@given(st.text(max_size=80))
def test_any_text_is_cut_into_tokens_in_order(text):
    found = list(tokens(text))

    assert all(before.end <= after.start for before, after in pairwise(found))


@settings(deadline=None)  # a busy machine is no bug
@given(st.lists(st.tuples(st.sampled_from(["a", "b_1"]), st.binary(max_size=60)), min_size=1, max_size=4))
def test_a_multipart_form_gives_its_parts_back(fields):
    body = b"".join(
        b'--edge\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), data)
        for name, data in fields
    )

    if b"--edge" not in b"".join(data for _, data in fields):
        found = forms.parts(body + b"--edge--\r\n", "edge")

        assert fields == [(part.name, part.data) for part in found]


def test_a_multipart_form_without_its_end_is_refused():
    with pytest.raises(ClickHouseError, match="closing boundary"):
        forms.parts(b'--e\r\nContent-Disposition: form-data; name="a"\r\n\r\nhalf', "e")


def test_sql_sent_by_curl_is_no_form():
    assert ({}, {}) == (forms.urlencoded(b"SELECT 1"), forms.urlencoded(b"a=1"))


def test_external_columns_may_have_commas_inside_their_types():
    part = forms.Part("m", is_file=True, data=b"")

    table = external_tables([part], {"m_types": "Decimal(9, 2),Tuple(a Int8, b Int8)"})[0]

    assert "_1 Decimal(9, 2), _2 Tuple(a Int8, b Int8)" == table.structure


def test_a_lost_time_zone_is_put_back_behind_columns_of_any_width():
    columns = [Column(b"s", "String"), Column(b"t", "DateTime('Asia/Kolkata')"), Column(b"u", "DateTime")]
    block = b"\x03\x01\x01s\x06String\x02ab\x01t\x08DateTime\x01\x02\x03\x04\x01u\x08DateTime\x05\x06\x07\x08"

    named = block.replace(b"\x01t\x08DateTime", b"\x01t\x18DateTime('Asia/Kolkata')")
    assert named == with_time_zones(block, columns)


def test_grafana_is_told_revision_zero_at_its_own_revision():
    question = b"SELECT displayName(), version(),\n revision(), timezone() FORMAT Native"

    block = grafana.hello("d", "26.9", "UTC", 54483)

    start = b"\x01\x00\x02\xff\xff\xff\xff\x00\x04\x01\x0ddisplayName()\x06String\x00\x01d"
    assert (True, True) == (grafana.is_hello(question), block.startswith(start))
    assert b"\x0arevision()\x06UInt32\x00\x00\x00\x00\x00" in block


def test_an_error_the_engine_has_wrapped_in_itself_is_told_once():
    name = "(UNKNOWN_FORMAT)"
    text = f"Code: 73. DB::Exception: Code: 73. DB::Exception: Unknown format Foo. {name} (version 1). {name}"

    assert "Code: 73. DB::Exception: Unknown format Foo. (UNKNOWN_FORMAT)" == str(from_engine(RuntimeError(text)))
