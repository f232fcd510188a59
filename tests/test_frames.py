"""Records to the columns of a table: exact, and nothing invented for what is missing or does not fit."""

from decimal import Decimal

import polars as pl
import pytest

from common.records import Trade
from common.tables import TRADE_ROWS
from processors.frames import frame_of, schema_of, table_frame, unfit
from processors.transforms.notionals import with_notional


def trade(price="1.5", size="2", **more):
    return Trade("v", "ABC", 1, trade_id="1", event_ns=2, price=price, size=size, taker_side="buy", **more)


def made(*trades):
    frame = frame_of(trades, Trade)
    offsets = pl.Series("offset", range(len(frame)), dtype=pl.UInt64)
    return with_notional(frame.with_columns(offsets, shard=pl.lit(0, dtype=pl.UInt16)), pl.DataFrame()).rows


def test_the_notional_is_as_stated_or_the_exact_product():
    rows = table_frame(made(trade("61837.63000000", "0.02000001"), trade("0.42", "17.7", notional="7.433")), TRADE_ROWS)

    assert [Decimal("61837.63") * Decimal("0.02000001"), Decimal("7.433")] == rows["notional"].to_list()


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        (trade("much"), "price"),
        (trade(size=""), "size"),
        (trade("9" * 21), "price"),
        (trade("99999999999", "99999999999"), "notional"),  # each fits, their product does not
    ],
)
def test_a_figure_that_does_not_fit_is_refused_with_its_row_and_never_stored_as_0(bad, column):
    frame = made(trade(), bad, trade())
    with pytest.raises(pl.exceptions.InvalidOperationError):
        table_frame(frame, TRADE_ROWS)
    (row,) = unfit(frame, TRADE_ROWS).iter_rows(named=True)

    assert 1 == row["offset"]
    assert f"{column}: expected Decimal(38, 18)" in row["reason"]


def test_a_frame_without_records_has_its_columns_and_types():
    assert pl.Schema(schema_of(Trade)) == frame_of([], Trade).schema
    assert [column.name for column in TRADE_ROWS.all_columns] == table_frame(made(), TRADE_ROWS).columns
