"""Inserts: every format and method, acknowledged only when the rows stand, repeated without doubling."""

import gzip
import json
import socket

import lz4.frame
import polars as pl
import pytest
from backports import zstd

from tests.embedded_fixtures import clickhouse

__all__ = ["clickhouse"]

pytestmark = pytest.mark.clickhouse

DEDUPLICATING = "ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100"


@pytest.fixture
def table(clickhouse, request):
    name = f"t_{abs(hash(request.node.name))}"
    assert 200 == clickhouse.ask(f"CREATE TABLE {name} (a UInt64, b String) {DEDUPLICATING}").status
    yield name
    clickhouse.ask(f"DROP TABLE {name}")


def native(first: int, rows: int) -> bytes:
    """Return one block of the column `a`."""
    numbers = b"".join(number.to_bytes(8, "little") for number in range(first, first + rows))
    return b"\x01" + bytes((rows,)) + b"\x01a\x06UInt64" + numbers


def parquet(frame: pl.DataFrame, path) -> bytes:
    frame.write_parquet(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("head", "data"),
    [
        (b"FORMAT CSV\n", b"1,x\n2,y\n"),
        (b"FORMAT JSONEachRow\n", b'{"a":1,"b":"x"}\n{"a":2,"b":"y"}'),
        (b"FORMAT TSV ", b"1\tx\n2\ty\n"),
        (b"FORMAT RowBinary\n", b"\1" + bytes(7) + b"\1x\2" + bytes(7) + b"\1y"),
        (b"FORMAT Values ", b"(1, 'x'), (2, lower('Y'))"),
        (b"VALUES ", b"(1, 'x'), (2, lower('Y'))"),
        (b"", b"SELECT number + 1, ['x', 'y'][number + 1] FROM numbers(2)"),
    ],
)
def test_rows_of_any_text_or_binary_format_arrive(clickhouse, table, head, data):
    answer = clickhouse.ask(b"INSERT INTO %s (a, b) %s%s" % (table.encode(), head, data))

    assert ["1\tx", "2\ty"] == clickhouse.rows(f"SELECT * FROM {table} ORDER BY a"), answer.text
    assert "2" == json.loads(answer.headers["x-clickhouse-summary"])["written_rows"]


def test_a_frame_arrives_as_parquet(clickhouse, table, tmp_path):
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})

    clickhouse.ask(b"INSERT INTO %s FORMAT Parquet\n%s" % (table.encode(), parquet(frame, tmp_path / "f")))

    assert ["1\tx", "2\ty"] == clickhouse.rows(f"SELECT * FROM {table} ORDER BY a")


@pytest.mark.parametrize(
    ("method", "pack"), [("gzip", gzip.compress), ("lz4", lz4.frame.compress), ("zstd", zstd.compress)]
)
def test_a_compressed_body_may_have_a_frame_for_each_block(clickhouse, table, method, pack):
    body = pack(native(0, 100)) + pack(native(100, 100))

    answer = clickhouse.ask(body, {"Content-Encoding": method}, query=f"INSERT INTO {table} (a) FORMAT Native")

    assert ["200\t199"] == clickhouse.rows(f"SELECT count(), max(a) FROM {table}"), answer.text


def test_a_token_is_inserted_once_and_another_token_again(clickhouse, table):
    for token in ("one", "one", "two"):
        clickhouse.ask(f"INSERT INTO {table} (a) FORMAT CSV\n1\n2\n", insert_deduplication_token=token)

    assert ["4"] == clickhouse.rows(f"SELECT count() FROM {table}")


def test_a_table_survives_power_cuts_by_default(clickhouse):
    names = "'fsync_after_insert', 'fsync_part_directory'"
    found = clickhouse.rows(
        f"SELECT value FROM system.merge_tree_settings WHERE name IN ({names}) OR name LIKE 'min%fsync_after_merge'"
    )

    assert ["1"] * 4 == found


def test_small_inserts_do_not_have_a_large_part_written_again_and_again(clickhouse, table):
    merged = "SELECT value FROM system.events WHERE event = 'MergedRows'"
    clickhouse.rows(f"INSERT INTO {table} (a) SELECT number FROM numbers(100000)")
    before = int(next(iter(clickhouse.rows(merged)), 0))

    for number in range(200):
        clickhouse.rows(f"INSERT INTO {table} (a) VALUES ({number})")

    assert int(clickhouse.rows(merged)[0]) - before < 2 * 100_000


def chunked(port: int, query_id: str, *pieces: bytes) -> socket.socket:
    """Send the beginning of a chunked insert."""
    connection = socket.create_connection(("127.0.0.1", port))
    head = f"POST /?query_id={query_id} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.sendall(head.encode() + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces))
    return connection


def test_a_client_that_leaves_in_the_middle_inserts_nothing(clickhouse, table):
    connection = chunked(clickhouse.port, "leaver", f"INSERT INTO {table} (a) FORMAT CSV\n".encode(), b"1\n2\n")
    clickhouse.wait_for("leaver", running=True)

    connection.close()

    clickhouse.wait_for("leaver", running=False)
    assert ["0"] == clickhouse.rows(f"SELECT count() FROM {table}")


def test_a_broken_chunk_inserts_nothing(clickhouse, table):
    with chunked(clickhouse.port, "broken", f"INSERT INTO {table} (a) FORMAT CSV\n".encode(), b"1\n") as connection:
        connection.sendall(b"no length\r\n")
        reply = connection.recv(100)

    assert b"HTTP/1.1 400 Bad Request" == reply[:24]
    clickhouse.wait_for("broken", running=False)
    assert ["0"] == clickhouse.rows(f"SELECT count() FROM {table}")


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (native(0, 100)[:-3], {}, 33),
        (b"\x01\x64 garbage", {}, 33),
        (zstd.compress(native(0, 100))[:-3], {"Content-Encoding": "zstd"}, 271),
        (b"garbage", {"Content-Encoding": "lz4"}, 271),
        (b"garbage", {"Content-Encoding": "rot13"}, 48),
    ],
)
def test_a_broken_body_is_refused_and_inserts_nothing(clickhouse, table, body, headers, code):
    answer = clickhouse.ask(body, headers, query=f"INSERT INTO {table} (a) FORMAT Native")

    assert (code, ["0"]) == (answer.code, clickhouse.rows(f"SELECT count() FROM {table}")), answer.text


@pytest.mark.parametrize("rows", [b"1\n50\n", b"1\n50\n" + b"2\n" * 1_000_000])
def test_what_the_table_refuses_is_refused(clickhouse, rows):
    clickhouse.ask(
        "CREATE OR REPLACE TABLE small (a UInt64, CONSTRAINT below CHECK a < 10) ENGINE = MergeTree ORDER BY a"
    )

    answer = clickhouse.ask(b"INSERT INTO small FORMAT CSV\n" + rows)

    assert (469, ["0"]) == (answer.code, clickhouse.rows("SELECT count() FROM small"))


def test_an_insert_takes_no_file_of_the_server(clickhouse, table):
    assert 48 == clickhouse.ask(f"INSERT INTO {table} (b) FROM INFILE '/etc/hostname' FORMAT LineAsString").code


def test_a_body_larger_than_what_is_held_arrives_whole(clickhouse, table):
    blocks = b"".join(native(first, 100) for first in range(0, 600_000, 100))

    answer = clickhouse.ask(b"INSERT INTO %s (a) FORMAT Native\n%s" % (table.encode(), blocks))

    assert ["600000\t599999"] == clickhouse.rows(f"SELECT count(), max(a) FROM {table}"), answer.text
    assert "600000" == json.loads(answer.headers["x-clickhouse-summary"])["written_rows"]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("ADD CONSTRAINT sane CHECK a < 100", 469),
        ("MODIFY SETTING max_parts_in_total = 1, parts_to_throw_insert = 1", 252),
    ],
)
@pytest.mark.parametrize("head", ["(a, b) FORMAT CSV\n", "(a, b) SETTINGS async_insert = 0 FORMAT CSV\n"])
def test_rows_that_the_table_refuses_are_never_acknowledged(clickhouse, table, rule, code, head):
    clickhouse.ask(f"INSERT INTO {table} VALUES (1, 'first')")
    assert 200 == clickhouse.ask(f"ALTER TABLE {table} {rule}").status
    answer = clickhouse.ask(f"INSERT INTO {table} {head}500,x\n")

    assert str(code) == answer.headers.get("x-clickhouse-exception-code"), answer.text
    assert ["1"] == clickhouse.rows(f"SELECT count() FROM {table}")
