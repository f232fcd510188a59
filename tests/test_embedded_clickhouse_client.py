"""Unmodified clickhouse-connect, sync and async, as the fleet uses it."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import clickhouse_connect
import polars as pl
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from clickhouse_connect.driver.external import ExternalData
from polars.testing import assert_frame_equal

from tests.embedded_fixtures import clickhouse

__all__ = ["clickhouse"]

pytestmark = pytest.mark.clickhouse

TRADES = pl.DataFrame(
    {
        "symbol": ["BTCUSDT", "ETHUSDT"],
        "event_time": [datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)],
        "price": [Decimal("97000.123456789012345678"), Decimal("0.000000000000000001")],
    },
    schema={"symbol": pl.String, "event_time": pl.Datetime("ns", "UTC"), "price": pl.Decimal(38, 18)},
)
COLUMNS = "symbol LowCardinality(String), event_time DateTime64(9, 'UTC'), price Decimal(38, 18)"


@pytest.fixture(scope="module")
def client(clickhouse):
    made = clickhouse_connect.get_client(host="127.0.0.1", port=clickhouse.port)
    yield made
    made.close()


@pytest.fixture
def trades(client):
    client.command(f"CREATE OR REPLACE TABLE trades ({COLUMNS}) ENGINE = MergeTree ORDER BY (symbol, event_time)")
    return client


def test_a_frame_comes_back_as_it_went(trades):
    written = trades.insert_df_arrow("trades", TRADES).written_rows

    found = pl.from_arrow(trades.query_arrow("SELECT * FROM trades ORDER BY symbol"))

    assert written == 2
    assert_frame_equal(TRADES, found.cast(dict(TRADES.schema)))


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
@pytest.mark.usefixtures("trades")
def test_every_compression_goes_both_ways(clickhouse, compress):
    client = clickhouse_connect.get_client(host="127.0.0.1", port=clickhouse.port, compress=compress)
    client.insert_arrow("trades", TRADES.to_arrow())
    client.insert("trades", TRADES.rows(), column_names=TRADES.columns)

    prices = client.query("SELECT DISTINCT price FROM trades ORDER BY price DESC").result_columns[0]

    client.close()
    assert TRADES["price"].to_list() == list(prices)


def test_a_date_time_keeps_its_zone(client):
    row = client.query("SELECT 'x' AS s, toDateTime(0, 'Asia/Kolkata') AS t, toDateTime(0, 'UTC') AS u").first_row

    assert "Asia/Kolkata" == str(row[1].tzinfo)


def test_a_query_that_breaks_in_the_middle_is_not_a_short_result(client):
    query = "SELECT number, throwIf(number = 3000000) FROM numbers(6000000)"
    with pytest.raises(StreamFailureError, match="throwIf"), client.query_row_block_stream(query) as stream:
        for _ in stream:
            pass

    assert 1 == client.command("SELECT 1")


def test_an_error_carries_its_code_and_name(client):
    with pytest.raises(DatabaseError) as caught:
        client.query("SELECT nope")

    assert (47, "UNKNOWN_IDENTIFIER") == (caught.value.code, caught.value.name)


def test_a_list_sent_with_a_query_stands_in_for_a_table(client):
    wanted = ExternalData(file_name="wanted.csv", data=b"3\n5\n", fmt="CSV", structure="n UInt64")

    found = client.query("SELECT number FROM numbers(10) WHERE number IN wanted", external_data=wanted)

    assert [(3,), (5,)] == found.result_rows
    with pytest.raises(DatabaseError):
        client.query("SELECT * FROM wanted")


def test_parameters_may_come_as_a_form(clickhouse):
    client = clickhouse_connect.get_client(host="127.0.0.1", port=clickhouse.port, form_encode_query_params=True)
    found = client.query("SELECT {n:Int64} + 1, {s:String}", parameters={"n": 41, "s": "a'b\n\t\\"}).first_row

    client.close()
    assert (42, "a'b\n\t\\") == tuple(found)


@pytest.mark.usefixtures("trades")
async def test_many_async_queries_run_side_by_side(clickhouse):

    async with await clickhouse_connect.get_async_client(host="127.0.0.1", port=clickhouse.port) as client:
        await client.insert_df_arrow("trades", TRADES)
        results = await asyncio.gather(*(client.query(f"SELECT {n}, count() FROM trades") for n in range(20)))

    assert [(n, 2) for n in range(20)] == [tuple(result.first_row) for result in results]


def test_a_repeated_token_is_one_insert(client):
    client.command(
        "CREATE OR REPLACE TABLE once (a UInt64) ENGINE = MergeTree ORDER BY a "
        "SETTINGS non_replicated_deduplication_window = 100"
    )
    frame = pl.DataFrame({"a": [1, 2, 3]}, schema={"a": pl.UInt64})
    for token in ("a", "a", "b"):
        client.insert_df_arrow("once", frame, settings={"insert_deduplication_token": token, "async_insert": 0})

    assert 6 == client.command("SELECT count() FROM once")
