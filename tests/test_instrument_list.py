"""One row an instrument, of what several tables tell of it."""

import polars as pl

from monitoring.views.instrument_list import merged

BOTH = {"venue": ["okx", "okx"], "symbol": ["A", "B"]}
NONE_TOLD = pl.DataFrame(
    schema={"venue": pl.String, "symbol": pl.String, "last_kind": pl.String, "gap_ns": pl.Int64}
)  # fmt: skip


def _frames(crossed=(False, True)):
    return [
        pl.DataFrame({**BOTH, "last_price": [1.0, 2.0], "heard_ns": [10, 10]}),
        pl.DataFrame({"venue": ["okx"], "symbol": ["A"], "bid": [0.5], "ask": [None], "heard_ns": [30]}),
        pl.DataFrame(
            {**BOTH, "bid": [0.9, 1.9], "ask": [1.1, 2.1], "spread_bps": [5.0, None], "heard_ns": [20, 20],
             "is_crossed": list(crossed), "has_book": [True, True]}
        ),
        pl.DataFrame({"venue": ["okx"], "symbol": ["C"], "last_price": [7.0], "trades": [3], "heard_ns": [5]}),
    ]  # fmt: skip


def test_the_last_table_that_knows_a_figure_tells_it():
    rows = {row["symbol"]: row for row in merged(_frames(), NONE_TOLD).to_dicts()}

    assert (1.0, 0.9, 1.1, 5.0, 30) == tuple(
        rows["A"][n] for n in ("last_price", "bid", "ask", "spread_bps", "heard_ns")
    )
    assert (2.0, None, 20) == tuple(rows["B"][n] for n in ("last_price", "spread_bps", "heard_ns"))
    assert (7.0, None, 3, False) == tuple(rows["C"][n] for n in ("last_price", "bid", "trades", "has_book"))


def test_a_book_is_in_order_if_the_last_word_on_it_is_and_it_is_not_crossed():
    told = pl.DataFrame(
        {"venue": ["okx"] * 3, "symbol": ["A", "B", "C"], "last_kind": ["gap", "resync", "gap"], "gap_ns": [9, 0, 4]}
    )
    untold = {row["symbol"]: row["is_in_sync"] for row in merged(_frames(), NONE_TOLD).to_dicts()}
    rows = {row["symbol"]: (row["is_in_sync"], row["gap_ns"]) for row in merged(_frames(), told).to_dicts()}

    assert {"A": True, "B": False, "C": None} == untold
    assert {"A": (False, 9), "B": (True, None), "C": (None, None)} == rows
