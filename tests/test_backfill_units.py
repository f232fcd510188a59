"""What the figures of a back-fill by hand count, which is not the same on the way and at its end."""

import pytest

from monitoring.cli.backfill import counted_in


@pytest.mark.parametrize(
    ("venue", "on_the_way", "at_the_end"),
    [
        ("binance", "trades", "trades"),
        ("okx", "trades", "trades"),
        ("upstox", "minutes walked", "candles"),
        ("alpaca_stocks", "seconds walked", "trades"),
        ("alpaca_crypto", "seconds walked", "trades"),
        ("goldsky", "seconds walked", "fills"),
        ("polygon", "seconds walked", "fills"),
    ],
)
def test_time_walked_is_not_taken_for_records_fetched(venue, on_the_way, at_the_end):
    assert (on_the_way, at_the_end) == (counted_in(venue, is_over=False), counted_in(venue, is_over=True))
