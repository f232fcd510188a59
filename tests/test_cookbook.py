"""Every query of the cookbook is run, and has an answer."""

import re
import shutil

import pytest

from tests.cookbook_kit import fill
from tests.fleet_harness import ROOT, Fleet

BLOCK = re.compile(r"^## (?P<title>[^\n]+)\n(?:(?!^## ).)*?^```sql\n(?P<query>.*?)^```", re.DOTALL | re.MULTILINE)
TEXT = (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")
RECIPES = [(found["title"], found["query"]) for found in BLOCK.finditer(TEXT)]

pytestmark = [pytest.mark.clickhouse, pytest.mark.redis]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A database with a generated day in it."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path_factory.mktemp("cookbook")) as made:
        made.start_servers()
        fill(made)
        yield made


def test_every_block_is_found():
    assert TEXT.count("```sql") == len(RECIPES) >= 10


@pytest.mark.parametrize("query", [query for _, query in RECIPES], ids=[title for title, _ in RECIPES])
def test_a_recipe_has_an_answer(store, query):
    with store.clickhouse() as client:
        found = client.query(query)

    rows = [dict(zip(found.column_names, row, strict=True)) for row in found.result_rows]
    assert rows
    assert {name for name in found.column_names if all(row[name] is None for row in rows)} == set()


def recipe(store, title):
    with store.clickhouse() as client:
        found = client.query(dict(RECIPES)[title])
    return [dict(zip(found.column_names, row, strict=True)) for row in found.result_rows]


def test_overlapping_gaps_are_one_stretch(store):
    (stretch,) = recipe(store, "What to leave out of a backtest")

    assert ("00:00:00", "00:01:10") == tuple(f"{stretch[name]:%H:%M:%S}" for name in ("out_from", "out_to"))


def test_flow_that_the_price_follows_has_a_slope(store):
    (found,) = recipe(store, "Order flow imbalance and the next return")

    # The mid is 50 sin(t), the flow its slope: ten seconds of flow are a tenth of an arc.
    assert 359 == found["pairs"]
    assert 0.9 < found["correlation"] <= 1


def test_makers_earn_what_the_others_lose_at_the_last_price(store):
    found = recipe(store, "Polymarket: what makers earned, roughly")

    assert {f"0x{number}" for number in range(5)} == {row["maker"] for row in found}
    assert sum(row["pnl_usd"] for row in found) == pytest.approx(expected_pnl(store))


def expected_pnl(store):
    """Return cash and left-overs of all makers together, trade by trade."""
    rows = store.sql(
        "SELECT symbol, taker_side, toFloat64(price), toFloat64(size) FROM trades WHERE venue = 'polymarket' "
        "ORDER BY symbol, event_time"
    )
    closing = {symbol: price for symbol, _, price, _ in rows}
    return sum((price - closing[symbol]) * size * (1 if side == "buy" else -1) for symbol, side, price, size in rows)
