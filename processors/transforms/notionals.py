"""The value of trades, where the venue states only price and size."""

import polars as pl

from processors.frames import PRICE
from processors.processor import Made

LARGEST = 1e19  # of what a Decimal(38, 18) can hold, with room for the float's error


def with_notional(trades: pl.DataFrame, _: pl.DataFrame) -> Made:
    """
    Return the trades with `notional` as an exact decimal: as stated, else price x size, in quote currency.

    Args:
        trades: the fields of Trade records. A price, size or product that is no such decimal leaves null: such a row
            is set aside when it meets the table.
    """
    # Polars raises for the whole column when one product overflows, so that one is taken out first.
    floats = [pl.col(name).cast(pl.Float64, strict=False) for name in ("price", "size")]  # from text: six times as fast
    fits = (floats[0] * floats[1]).abs() < LARGEST
    typed = trades.with_columns(pl.col("price", "size", "notional").cast(PRICE, strict=False), fits=fits)
    product = pl.when("fits").then("price") * pl.when("fits").then("size")
    return Made(typed.with_columns(pl.col("notional").fill_null(product)).drop("fits"))
