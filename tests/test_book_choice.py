"""What an operator may leave out of the statistics of books, and the recipe of docs/analytics.md."""

import re
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from common.book_choice import Choice, chosen
from common.errors import BadSettings
from common.records import BookSnapshot
from common.settings import Settings
from processors.book_plan import Plan, plan_of
from processors.books import Books
from processors.transforms.rest_books import rest_book_stats
from tests.book_kit import NOTHING, SECOND_NS, START_NS, frame, snapshot, turned, update

DEEP = [(str(10_000 - at), "1") for at in range(30)], [(str(10_001 + at), "1") for at in range(30)]
LEFT_OUT = re.compile(r"(depth|notional|imbalance|covered)_\d+bps$|cost_.*_bps$|imbalance_\d+$")
FEW = Choice(bands_bps=(10,), notionals=("1k",), levels=(5,))
KEPT = re.compile(r"_10bps$|cost_1k_bps$|imbalance_5$")


def statistics(choice):
    records = [update("snapshot", *DEEP), update(at_ns=START_NS + SECOND_NS)]
    rows, _, _ = turned(Books(plan=Plan(choice=choice)), records)
    asked = rest_book_stats(frame([snapshot(*DEEP)], BookSnapshot), NOTHING, choice=choice)
    return pl.concat([rows, asked.rows])


def test_what_was_not_chosen_is_null_and_the_rest_as_ever():
    every, few = statistics(Choice()), statistics(FEW)
    dropped = [name for name in every.columns if LEFT_OUT.search(name) and not KEPT.search(name)]

    assert "bid_covered_25bps" in dropped
    assert {len(few)} == {few[name].null_count() for name in dropped}
    assert_frame_equal(every.drop(dropped), few.drop(dropped))
    assert (
        few["imbalance_5"].null_count()
        == few["ask_depth_10bps"].null_count()
        == few["buy_cost_1k_bps"].null_count()
        == 0
    )


def test_settings_choose_in_any_order(tmp_path):
    environ = {"BOOK_BANDS_BPS": "500, 10", "BOOK_NOTIONALS": "1m,1k", "BOOK_LEVELS": "20,1"}

    assert Choice((10, 500), ("1k", "1m"), (1, 20)) == plan_of(Settings.from_env(environ, tmp_path / "none")).choice
    assert Choice() == plan_of(Settings.from_env({}, tmp_path / "none")).choice
    assert Choice((), (), ()) == chosen((), (), ())


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("BOOK_BANDS_BPS", "10,7", "expected some of 1,2,5,10,25,50,100,200,500, found 7"),
        ("BOOK_NOTIONALS", "1000", "expected some of 1k,5k,10k,50k,100k,500k,1m, found 1000"),
        ("BOOK_LEVELS", ",", "expected some of 1,5,10,20, found none"),
    ],
)
def test_a_column_that_there_is_not_cannot_be_chosen(tmp_path, name, value, reason):
    with pytest.raises(BadSettings) as caught:
        Settings.from_env({name: value}, tmp_path / "none")

    assert name in str(caught.value.problems)
    assert reason in str(caught.value.problems)


def micro_price():
    """Return the function that docs/analytics.md shows."""
    told = (Path(__file__).parents[1] / "docs" / "analytics.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", told, re.DOTALL)
    names = {}
    exec(code, names)
    return names["micro_price"]


def test_a_book_whose_mid_follows_its_imbalance_has_that_micro_price():
    high = [True, True, False, False] * 50
    mids = [100.0]
    for is_high in high[:-1]:
        mids.append(mids[-1] + (0.5 if is_high else -0.5))
    rows = pl.DataFrame(
        {
            "event_time": range(200),
            "mid": mids,
            "spread": 0.5,
            "imbalance_1": [0.8 if is_high else -0.8 for is_high in high],
        }
    )
    found = micro_price()(rows, tick=0.5, buckets=2, widest=1)

    assert [(0, 1), (1, 1)] == found.select("bucket", "ticks").rows()
    assert pytest.approx([-0.5, 0.5], abs=0.02) == found["add"].to_list()


def test_a_book_that_waits_before_it_moves_has_the_same_micro_price():
    high = [True] * 4 + [False] * 4
    moves = [0, 0.5, 0, 0.5, 0, -0.5, 0, -0.5]
    mids = [100.0]
    for at in range(399):
        mids.append(mids[-1] + moves[at % 8])
    imbalances = [0.8 if high[at % 8] else -0.8 for at in range(400)]
    rows = pl.DataFrame({"event_time": range(400), "mid": mids, "spread": 0.5, "imbalance_1": imbalances})
    low, up = micro_price()(rows, tick=0.5, buckets=2, widest=1)["add"].to_list()

    assert pytest.approx(-up) == low
    assert pytest.approx(0.5, abs=0.02) == up
