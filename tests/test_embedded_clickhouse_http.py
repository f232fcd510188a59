"""The HTTP face as curl and browsers see it."""

import gzip
import json
import time
from contextlib import closing
from http.client import IncompleteRead

import lz4.frame
import pytest

from tests.embedded_fixtures import answer_of, clickhouse

__all__ = ["clickhouse"]

pytestmark = pytest.mark.clickhouse


def test_it_says_that_it_is_there(clickhouse):
    with closing(clickhouse.connect()) as connection:
        connection.request("GET", "/ping")
        ping = answer_of(connection.getresponse())

    assert (b"Ok.\n", b"Ok.\n") == (ping.body, clickhouse.ask(method="GET").body)


def test_a_query_comes_in_the_address_in_the_body_or_in_both(clickhouse):
    answers = [
        clickhouse.ask(method="GET", query="SELECT 7"),
        clickhouse.ask("SELECT 7"),
        clickhouse.ask("7", query="SELECT"),
        clickhouse.ask("SELECT 7", headers={"Content-Type": "application/x-www-form-urlencoded"}),
        clickhouse.ask("query=SELECT+{x:Int32}&param_x=7", {"Content-Type": "application/x-www-form-urlencoded"}),
    ]

    assert ["7\n"] * 5 == [answer.text for answer in answers]


def test_a_get_does_not_write(clickhouse):
    answer = clickhouse.ask(method="GET", query="CREATE TABLE by_get (a Int32) ENGINE = Memory")

    assert (164, True) == (answer.code, "You should use method POST" in answer.text)


@pytest.mark.parametrize(
    ("format_name", "media", "start"),
    [
        ("JSON", "application/json; charset=UTF-8", b'{\n\t"meta"'),
        ("CSVWithNames", "text/csv; charset=UTF-8; header=present", b'"n"\n1'),
        ("ArrowStream", "application/octet-stream", b"\xff\xff\xff\xff"),
        ("Parquet", "application/octet-stream", b"PAR1"),
        ("RowBinaryWithNamesAndTypes", "application/octet-stream", b"\x01\x01n\x05UInt8\x01"),
        ("Native", "application/octet-stream", b"\x01\x01\x01n\x05UInt8\x01"),
    ],
)
def test_a_result_has_its_format_and_says_so(clickhouse, format_name, media, start):
    named = clickhouse.ask(f"SELECT 1 AS n FORMAT {format_name}")
    default = clickhouse.ask("SELECT 1 AS n", default_format=format_name)

    assert (format_name, media) == (named.headers["x-clickhouse-format"], named.headers["content-type"])
    assert (True, True) == (named.body.startswith(start), default.body.startswith(start))


def test_totals_come_with_the_result(clickhouse):
    rows = clickhouse.rows("SELECT number % 2 AS k, count() FROM numbers(4) GROUP BY k WITH TOTALS ORDER BY k")

    assert ["0\t2", "1\t2", "", "0\t4"] == rows


@pytest.mark.parametrize(
    ("query", "status", "code", "name"),
    [
        ("SELEC 1", 400, 62, "SYNTAX_ERROR"),
        ("SELECT nope", 404, 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT * FROM nope", 404, 60, "UNKNOWN_TABLE"),
        ("SELECT 1 FORMAT Nope", 404, 73, "UNKNOWN_FORMAT"),
        ("SELECT throwIf(1)", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT " + "1," * 200_000 + "1", 400, 62, "SYNTAX_ERROR"),
        ("SELECT " + "(" * 50_000 + "1" + ")" * 50_000, 500, 306, "TOO_DEEP_RECURSION"),
    ],
)
def test_an_error_has_its_status_code_and_name(clickhouse, query, status, code, name):
    answer = clickhouse.ask(query)

    assert (status, code) == (answer.status, answer.code)
    assert (True, True) == (answer.text.startswith(f"Code: {code}. DB::Exception: "), f"({name})" in answer.text)


def test_a_setting_holds_for_its_request_only(clickhouse):
    question = "SELECT getSetting('max_block_size'), getSetting('async_insert')"

    found = [clickhouse.rows(question, max_block_size=7), clickhouse.rows(question)]

    assert [["7\tfalse"], ["65409\tfalse"]] == found


def test_a_bad_setting_is_refused_and_leaves_nothing_behind(clickhouse):
    refused = clickhouse.ask("SELECT 1", max_block_size=7, no_such_setting=1)

    assert 115 == refused.code
    assert ["65409"] == clickhouse.rows("SELECT getSetting('max_block_size')")


def test_a_database_holds_for_its_request_only(clickhouse):
    found = [
        clickhouse.rows("SELECT currentDatabase()", database="system"),
        clickhouse.rows("SELECT currentDatabase()"),
    ]

    assert [["system"], ["default"]] == found
    assert 81 == clickhouse.ask("SELECT 1", database="nope").code


def test_values_are_bound_and_cannot_be_sql(clickhouse):
    rows = clickhouse.rows(
        "SELECT {n:Int32} + 1, {s:String} FROM system.{t:Identifier}",
        param_n=41,
        param_s="a' OR 1=1 --\\n",
        param_t="one",
    )

    assert ["42\ta\\' OR 1=1 --\\n"] == rows


@pytest.mark.parametrize(("method", "decode"), [("gzip", gzip.decompress), ("lz4", lz4.frame.decompress)])
def test_a_reply_is_compressed_when_both_sides_want_it(clickhouse, method, decode):
    query, accept = "SELECT number FROM numbers(300000)", {"Accept-Encoding": method}

    plain, packed = clickhouse.ask(query, accept), clickhouse.ask(query, accept, enable_http_compression=1)

    assert (None, method) == (plain.headers.get("content-encoding"), packed.headers["content-encoding"])
    assert plain.body == decode(packed.body)


def test_the_first_rows_of_a_slow_query_do_not_wait_for_its_last(clickhouse):
    with closing(clickhouse.connect()) as connection:
        begun_s = time.monotonic()
        connection.request("POST", "/?max_block_size=1", "SELECT number, sleepEachRow(0.1) FROM numbers(30)")
        first = connection.getresponse().read(2)
        took_s = time.monotonic() - begun_s

    assert (b"0\t", True) == (first, took_s < 2.5)


def test_an_error_behind_the_first_megabyte_ends_the_reply_with_its_text(clickhouse):
    with closing(clickhouse.connect()) as connection:
        connection.request("POST", "/", "SELECT number, throwIf(number = 3000000) FROM numbers(6000000)")
        response = connection.getresponse()
        tag = response.getheader("X-ClickHouse-Exception-Tag")
        with pytest.raises(IncompleteRead) as caught:
            response.read()

    _, _, block = caught.value.partial[-2000:].partition(f"\r\n__exception__\r\n{tag}\r\n".encode())
    text, _, footer = block.partition(b"\n")
    assert (200, True) == (response.status, text.startswith(b"Code: 395. DB::Exception"))
    assert f"{len(text)} {tag}\r\n__exception__\r\n".encode() == footer


def test_an_error_has_its_own_status_when_the_client_waits_for_the_end(clickhouse):
    query = "SELECT number, throwIf(number = 3000000) FROM numbers(6000000)"

    answer = clickhouse.ask(query, wait_end_of_query=1)

    assert (500, 395) == (answer.status, answer.code)


@pytest.mark.parametrize("name", ["compress", "decompress"])
def test_a_compression_we_cannot_do_is_refused_and_not_ignored(clickhouse, name):
    assert 48 == clickhouse.ask("SELECT 1", **{name: 1}).code


def test_a_page_of_another_site_cannot_query(clickhouse):
    foreign = clickhouse.ask("SELECT 1", {"Origin": "https://example.com"})
    own = clickhouse.ask("SELECT 1", {"Origin": f"http://127.0.0.1:{clickhouse.port}"})

    assert (403, 200) == (foreign.status, own.status)


def test_a_reply_tells_what_it_cost(clickhouse):
    headers = clickhouse.ask("SELECT number FROM numbers(10)", query_id="told").headers

    summary = json.loads(headers["x-clickhouse-summary"])
    assert ("told", "UTC", "tickfleet") == (
        headers["x-clickhouse-query-id"],
        headers["x-clickhouse-timezone"],
        headers["x-clickhouse-server-display-name"],
    )
    assert ("10", "10") == (summary["read_rows"], summary["result_rows"])
