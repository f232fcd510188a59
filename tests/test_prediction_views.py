"""Prediction markets: two books as one, edges, bands, baskets; by hand, and against a slow reference."""

import math
import random
import shutil
from fractions import Fraction

import pytest

from tests import prediction_reference as reference
from tests.fleet_harness import Fleet, wait_for
from tests.prediction_kit import (
    TABLES,
    asked,
    mirror,
    put_books,
    put_market,
    put_tick_size,
    put_trades,
)

pytestmark = [pytest.mark.clickhouse, pytest.mark.redis]

BIDS = [("0.40", 100), ("0.39", 200)]
ASKS = [("0.44", 50), ("0.45", 300)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A database with the schema; each test begins with empty tables."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path_factory.mktemp("prediction")) as made:
        made.start_servers()
        yield made


@pytest.fixture
def tables(store):
    for table in TABLES:
        store.command(f"TRUNCATE TABLE {table}")
    put_market(store, "m")
    return store


def put_pair(store, yes, no, name="m", at_s=0):
    """Put the books of both tokens, each (bids, asks), cut off at 20 levels where they have so many."""
    put_books(store, (f"{name}Y", at_s, *yes, 20), (f"{name}N", at_s, *no, 20))


def stats(store, what, **more):
    return asked(store, what, "prediction_stats", **({"market": "m"} | more))


def test_a_mirrored_feed_is_told_once_and_not_added_to_itself(tables):
    put_pair(tables, (BIDS, ASKS), (mirror(ASKS), mirror(BIDS)))

    assert [(1, True, 0.4, 100, 0.44, 50)] == stats(tables, "mirrored_share, is_mirrored, bid, bid_size, ask, ask_size")
    assert [([0.4, 0.39], [100, 200])] == [
        ([float(price) for price in prices], [float(size) for size in sizes])
        for prices, sizes in tables.sql(
            "SELECT bid_prices, bid_sizes FROM prediction_books("
            "market = 'm', since = '2026-01-01 00:00:00', until = '2026-01-01 00:00:01')"
        )
    ]


def test_books_that_are_not_mirrored_are_added_level_by_level(tables):
    put_pair(tables, (BIDS, ASKS), ([("0.57", 10), ("0.55", 30)], [("0.59", 7), ("0.60", 5)]))

    found = tables.sql(
        "SELECT is_mirrored, bid_prices, bid_sizes, ask_prices, ask_sizes FROM prediction_books("
        "market = 'm', since = '2026-01-01 00:00:00', until = '2026-01-01 00:00:01')"
    )

    assert (False, [0.41, 0.4, 0.39], [7, 105, 200], [0.43, 0.44, 0.45], [10, 50, 330]) == tuple(
        [float(number) for number in value] if isinstance(value, list) else value for value in found[0]
    )


def test_books_that_are_half_mirrored_are_not_added_and_not_told(tables):
    put_pair(tables, (BIDS, ASKS), (mirror(ASKS), [("0.60", 100), ("0.62", 9)]))

    assert [(0.75, None, 0.4, None, 0.44, None, None, None)] == stats(
        tables, "mirrored_share, is_mirrored, bid, bid_size, ask, bid_depth_10c, ask_usd_10c, bid_usd"
    )


def test_with_one_of_two_books_only_its_own_best_prices_are_told(tables):
    put_books(tables, ("mY", 0, BIDS, ASKS, 20))

    assert [(True, False, 0.4, 0.44, None, None, None, None, None, None)] == [
        (bool(row[0]), bool(row[1]), *row[2:])
        for row in stats(
            tables,
            "is_yes_known, is_no_known, yes_bid, yes_ask, no_bid, bid, mid, parity_residual, mint_edge, bid_depth_10c",
        )
    ]


def test_an_empty_side_is_no_price_of_zero(tables):
    put_pair(tables, ([], ASKS), (mirror(ASKS), []))

    assert [(None, 0.44, None, None, None, None, None)] == stats(
        tables, "bid, ask, mid, spread, bounded_spread, logit_mid, bid_depth_1c"
    )
    assert [(0, pytest.approx(0.56 * 50 + 0.55 * 300))] == stats(tables, "bid_usd, ask_usd")


@pytest.mark.parametrize(
    ("yes", "no", "mint", "merge", "is_crossed"),
    [
        (("0.52", "0.55"), ("0.48", "0.50"), 0, -0.05, True),  # two buyers that the exchange mints for
        (("0.50", "0.52"), ("0.46", "0.48"), -0.04, 0, True),  # two sellers that it merges
        (("0.50", "0.53"), ("0.46", "0.48"), -0.04, -0.01, False),
        (("0.53", "0.55"), ("0.49", "0.51"), 0.02, -0.06, True),
        (("0.50", "0.51"), ("0.45", "0.47"), -0.05, 0.02, True),
    ],
)
def test_edges_follow_the_exchanges_crossing_rule_and_are_exact(tables, yes, no, mint, merge, is_crossed):
    put_pair(tables, *(([(bid, 5)], [(ask, size)]) for (bid, ask), size in ((yes, 9), (no, 4))))

    assert [(mint, 5, merge, 4, is_crossed)] == [
        (*row[:4], bool(row[4])) for row in stats(tables, "mint_edge, mint_size, merge_edge, merge_size, is_crossed")
    ]


def test_parity_bounded_spread_logit_and_dollars_by_hand(tables):
    put_pair(tables, (BIDS, ASKS), ([("0.57", 10)], [("0.59", 7)]))

    # Best of both: 0.41 (7) and 0.43 (10), mid 0.42; mid of Y 0.42, of N 0.58.
    assert [(pytest.approx(0.42), pytest.approx(0.02 / 0.42), pytest.approx(math.log(0.42 / 0.58)), 0)] == stats(
        tables, "mid, bounded_spread, logit_mid, parity_residual"
    )
    assert [(7, pytest.approx(7 * 0.41), 107, pytest.approx(7 * 0.41 + 40), 307, 10, 60)] == stats(
        tables, "bid_depth_1c, bid_usd_1c, bid_depth_2c, bid_usd_2c, bid_depth_5c, ask_depth_1c, ask_depth_2c"
    )
    assert [(pytest.approx(10 * 0.57 + 50 * 0.56 + 300 * 0.55), pytest.approx(7 * 0.41 + 40 + 78))] == stats(
        tables, "ask_usd_5c, bid_usd"
    )


def test_a_band_that_is_wider_than_what_is_known_is_null(tables):
    bids = [(f"{0.500 - 0.002 * level:.3f}", 1) for level in range(20)]  # known down to 0.462
    asks = [("0.502", 1)]
    put_pair(tables, (bids, asks), (mirror(asks), mirror(bids)))

    assert [(5, 10, None, None, None, 1, 1)] == stats(
        tables, "bid_depth_1c, bid_depth_2c, bid_depth_5c, bid_usd_5c, bid_usd, ask_depth_5c, ask_depth_10c"
    )


def test_of_two_rows_of_one_second_the_whole_book_counts(tables):
    bids = [(f"{0.500 - 0.002 * level:.3f}", 1) for level in range(30)]
    asks = [("0.502", 1)]
    put_pair(tables, (bids[:20], asks), (mirror(asks), mirror(bids)[:20]))
    put_books(tables, ("mY", 0, bids, asks, 30), ("mN", 0, mirror(asks), mirror(bids), 30))

    assert [(25, 30)] == stats(tables, "bid_depth_5c, bid_depth_10c")


def test_the_tick_size_is_the_one_that_held_then(tables):
    for at_s in (0, 10, 20):
        put_pair(tables, (BIDS, ASKS), (mirror(ASKS), mirror(BIDS)), at_s=at_s)
    put_tick_size(tables, "mY", 5, "0.001", "0.01")
    put_tick_size(tables, "mN", 6, "0.0001", "0.01", offset=1)
    put_tick_size(tables, "mY", 15, "0.01", "0.001", offset=2)

    assert [(0.01,), (0.001,), (0.01,)] == stats(tables, "tick_size")


def test_a_tick_size_that_was_never_told_is_null(tables):
    put_pair(tables, (BIDS, ASKS), (mirror(ASKS), mirror(BIDS)))

    assert [(None,)] == stats(tables, "tick_size")


def test_volatility_of_the_log_odds_leaves_out_what_lies_across_a_hole(tables):
    for at_s, shift in ((0, 0), (10, 1), (15, 7), (20, -1), (40, 5), (50, 6)):
        bid, ask = (f"{price + shift / 100:.2f}" for price in (0.40, 0.44))
        put_pair(tables, ([(bid, 1)], [(ask, 1)]), (mirror([(ask, 1)]), mirror([(bid, 1)])), at_s=at_s)
    mids = [0.42, 0.43, 0.41, 0.47, 0.48]
    odds = [math.log(mid / (1 - mid)) for mid in mids]
    squares = sum((odds[a] - odds[b]) ** 2 for a, b in ((1, 0), (2, 1), (4, 3)))

    assert [(3, pytest.approx(math.sqrt(squares / 30 * 3600)))] == asked(
        tables, "changes, logit_volatility", "prediction_volatility", "hour", market="m", step_s=10
    )


def put_question(store, *bests, at_s=0):
    """Put a neg-risk question `q` with markets a, b, …, each with one (bid, ask, size) or (None, ask, size)."""
    for name, (bid, ask, size) in zip("abcd", bests, strict=False):
        bids, asks = [] if bid is None else [(bid, size)], [(ask, size)]
        put_pair(store, (bids, asks), (mirror(asks), mirror(bids)), name, at_s)


BASKET = "open_markets, known_markets, sum_bid, sum_ask, overround, buy_all_edge, buy_all_size, sell_all_edge"


def test_a_basket_sums_what_one_of_each_outcome_costs_and_brings(tables):
    for name in "abc":
        put_market(tables, name, question="q")
    put_question(tables, ("0.50", "0.52", 30), ("0.30", "0.31", 20), ("0.12", "0.14", 9))

    assert [(3, 3, 0.92, 0.97, pytest.approx(-0.055), 0.03, 9, -0.08)] == asked(
        tables, BASKET, "neg_risk_baskets", question="q"
    )


def test_a_basket_with_an_unknown_book_has_no_sum(tables):
    for name in "abc":
        put_market(tables, name, question="q")
    put_question(tables, ("0.50", "0.52", 30), ("0.30", "0.31", 20))

    assert [(3, 2, None, None, None, None, None, None)] == asked(tables, BASKET, "neg_risk_baskets", question="q")


def test_an_outcome_that_nobody_bids_for_can_be_left_out_of_a_sale(tables):
    for name in "abc":
        put_market(tables, name, question="q")
    put_question(tables, ("0.60", "0.62", 30), ("0.45", "0.46", 20), (None, "0.01", 5))

    assert [(1.05, 1.09, None, -0.09, 0.05, 20)] == asked(
        tables,
        "sum_bid, sum_ask, overround, buy_all_edge, sell_all_edge, sell_all_size",
        "neg_risk_baskets",
        question="q",
    )


def test_a_market_belongs_to_the_basket_while_it_is_open(tables):
    put_market(tables, "a", question="q")
    put_market(tables, "b", question="q")
    put_market(tables, "c", question="q", closed_s=10, is_closed=True)
    put_market(tables, "d", question="q", created_s=15)
    for at_s in (5, 12, 20):
        put_question(
            tables, ("0.50", "0.52", 1), ("0.30", "0.31", 1), ("0.10", "0.11", 1), ("0.05", "0.06", 1), at_s=at_s
        )

    assert [(3, 0.94), (2, 0.83), (3, 0.89)] == asked(tables, "open_markets, sum_ask", "neg_risk_baskets", question="q")


def test_a_market_that_was_closed_nobody_knows_when_leaves_the_basket_unknown(tables):
    put_market(tables, "a", question="q")
    put_market(tables, "b", question="q")
    put_market(tables, "c", question="q", is_closed=True)
    put_question(tables, ("0.50", "0.52", 1), ("0.30", "0.31", 1))

    assert [(True, None)] == [
        (bool(row[0]), row[1]) for row in asked(tables, "is_unclear, sum_ask", "neg_risk_baskets", question="q")
    ]


def test_one_market_is_no_basket(tables):
    put_market(tables, "a", question="q")
    put_question(tables, ("0.50", "0.52", 1))

    assert [(1, None, None)] == asked(tables, "open_markets, sum_ask, sum_bid", "neg_risk_baskets", question="q")


def test_trades_of_both_tokens_are_told_in_prices_of_the_first_outcome(tables):
    put_pair(tables, (BIDS, ASKS), (mirror(ASKS), mirror(BIDS)), at_s=10)
    put_trades(
        tables,
        ("mY", 10.5, "0.44", 5, "buy"),
        ("mN", 10.75, "0.60", 4, "buy"),
        ("mN", 12.5, "0.55", 2, "sell"),
        ("mY", 10.9, "0.42", 1, "unknown"),
    )

    assert [
        (0.44, "buy", 2.2, 0.42, pytest.approx(0.04)),
        (0.4, "sell", 2.4, 0.42, pytest.approx(0.04)),
        (0.42, "unknown", 0.42, 0.42, None),
        (0.45, "buy", 1.1, None, None),
    ] == asked(
        tables,
        "yes_price, yes_side, paid_usd, mid_before, effective_spread",
        "prediction_trades",
        "event_time",
        market="m",
    )


@pytest.mark.parametrize("name", ["m", "0xm", "will-m"])
def test_a_market_is_found_by_its_id_its_condition_and_its_slug(tables, name):
    put_pair(tables, (BIDS, ASKS), (mirror(ASKS), mirror(BIDS)))

    assert [(0.4,)] == stats(tables, "bid", market=name)


def test_no_name_is_no_market(tables):
    put_pair(tables, (BIDS, ASKS), (mirror(ASKS), mirror(BIDS)))

    assert [] == stats(tables, "bid", market="")


def generated(chance):
    """Return both books of a market as (bids, asks, depth): mirrored, nearly so, or on their own; cut off or whole."""
    fair = chance.randrange(20, 980)
    tick = chance.choice((1, 10))
    yes = [side(chance, fair, sign, tick) for sign in (-1, 1)]
    kind = chance.choice(("mirrored", "nearly", "own"))
    no = [side(chance, 1000 - fair + chance.randrange(-3, 4), sign, tick) for sign in (-1, 1)]
    if kind != "own":
        no = [[(1 - price, size) for price, size in part] for part in reversed(yes)]
        if kind == "nearly" and no[0]:
            no[0][-1] = (no[0][-1][0], no[0][-1][1] + 1)
    depth = chance.choice((20, max(*map(len, yes), *map(len, no), 21)))
    return [(*(part[:depth] for part in book), depth) for book in (yes, no)]


def side(chance, fair, sign, tick):
    count = chance.choice((0, 1, 3, 19, 20, 21, 40))
    steps = sorted(chance.sample(range(1, 60), count))
    mills = [fair + sign * step * tick for step in steps]
    return [(Fraction(price, 1000), Fraction(chance.randrange(1, 9000), 100)) for price in mills if 0 < price < 1000]


def test_generated_books_say_what_the_slow_reference_says(tables):
    chance = random.Random(11)
    pairs = [generated(chance) for _ in range(200)]
    put_books(
        tables,
        *(
            (token, at_s, *book)
            for at_s, pair in enumerate(pairs)
            for token, book in zip(("mY", "mN"), pair, strict=True)
        ),
    )
    expected = [reference.statistics(*pair) for pair in pairs]
    names = list(expected[0])

    found = [dict(zip(names, row, strict=True)) for row in stats(tables, ", ".join(names))]

    assert {True, False, None} == {row["is_mirrored"] for row in expected}
    for wanted, told in zip(expected, found, strict=True):
        assert {
            name: value
            if value is None or isinstance(value, bool)
            else pytest.approx(float(value), rel=1e-12, abs=1e-12)
            for name, value in wanted.items()
        } == told


@pytest.mark.timeout(240)
def test_the_mirrored_books_of_a_living_clob_are_recognised_and_told_once(fleet):
    fleet.start_simulator("--demo")
    for program in ("clickhouse_writer", "book_processor", "polymarket_ingester", "polymarket_clob_ingester"):
        fleet.start_program(program)
    both = (
        "SELECT market_id FROM book_snapshots INNER JOIN market_tokens ON symbol = token_id "
        "WHERE source = 'maintained' GROUP BY market_id "
        "HAVING uniqExact(symbol) = 2 AND uniqExact(event_time) > 5 LIMIT 1"
    )
    wait_for(lambda: len(fleet.sql(both)), expected=1, what="books of both tokens", give_up_s=150)
    ((market,),) = fleet.sql(both)

    ((known, mirrored, share, residual, edge, size),) = fleet.sql(
        "SELECT countIf(is_yes_known AND is_no_known), countIf(is_mirrored), min(mirrored_share), "
        "max(abs(parity_residual)), max(greatest(merge_edge, mint_edge)), countIf(bid_size = yes_bid_size) "
        f"FROM prediction_stats(market = '{market}', since = now64(9) - INTERVAL 1 HOUR, until = now64(9))"
    )

    assert known > 0
    assert (known, 1, 0, known) == (mirrored, share, residual, size)
    assert edge < 0
