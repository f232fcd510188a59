"""Order-filled events to trades: amounts, sides, rounding and refusals, against real logs, a recording and Python."""

import gzip
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from common.records import OrderEvent, Trade
from common.settings import Settings
from ingesters.feed import Frame, Resume, hear
from ingesters.venues.goldsky import GoldskyFeed
from processors.transforms.order_trades import REFUSED, TRADES, order_trades

RECORDING = Path(__file__).parents[2] / "shared" / "captures" / "goldsky-orderfilled-derived-1.jsonl.gz"
TOKEN = "114856201873541567677341731370365137173235058495071385195611596664202155739948"
NO_TOKENS = pl.DataFrame(schema={"token_id": pl.String, "market_id": pl.String, "outcome": pl.String})
EXACT = Context(prec=60)
MOST = 10**18 - 1

# The event of the first exchange in transaction 0x31d5dca4... of block 81344785.
V1_BUY = OrderEvent(
    venue="polymarket",
    symbol=TOKEN,
    received_ns=1_767_808_830_000_000_000,
    event_id="0x31d5dca405136cb4ed09bcf817d2b6c2ce1331b18d4b5738eae2e76f7e73e391_0xcad66ce0a358cde360f7565f226a7749",
    event_ns=1_767_808_829_000_000_000,
    transaction_hash="0x31d5dca405136cb4ed09bcf817d2b6c2ce1331b18d4b5738eae2e76f7e73e391",
    order_hash="0xcad66ce0a358cde360f7565f226a7749c1fa08648b57ec3ffd0bf6c0f8a46b8b",
    maker="0x00000003a358014c7c0e227483dbe01619871000",
    taker="0xe55b90febea370d4611a4b0a9ff201183268b24e",
    maker_asset_id="0",
    taker_asset_id=TOKEN,
    maker_amount="7434000",
    taker_amount="17700000",
    fee="1770000",
    role="maker_fill",
    source="subgraph",
)
# The amounts of a log of the second exchange: side 1, so the maker gives shares.
V2_SELL = msgspec.structs.replace(
    V1_BUY, maker_asset_id=TOKEN, taker_asset_id="0", maker_amount="4180000", taker_amount="3929200", source="chain"
)


def frame(*events: OrderEvent) -> pl.DataFrame:
    return pl.DataFrame([msgspec.to_builtins(event) for event in events])


def sold(usd: int, shares: int, role: str = "maker_fill") -> OrderEvent:
    return msgspec.structs.replace(V2_SELL, maker_amount=str(shares), taker_amount=str(usd), role=role)


def only(events: pl.DataFrame, tokens: pl.DataFrame = NO_TOKENS) -> dict:
    trades, _ = order_trades(events, tokens)
    return trades.row(0, named=True)


def test_a_maker_who_pays_collateral_buys_and_the_taker_sells():
    trade = only(frame(V1_BUY))

    assert (TOKEN, "0.42", "17.7", "7.434", "sell") == tuple(
        trade[name] for name in ("symbol", "price", "size", "notional", "taker_side")
    )


def test_a_maker_who_gives_shares_sells_and_the_taker_buys():
    trade = only(frame(V2_SELL))

    assert (TOKEN, "0.94", "4.18", "3.9292", "buy") == tuple(
        trade[name] for name in ("symbol", "price", "size", "notional", "taker_side")
    )


def test_a_trade_keeps_the_identity_and_the_times_of_its_event():
    trade = only(frame(V1_BUY))

    kept = ("venue", "received_ns", "event_ns", "maker", "taker", "transaction_hash")

    assert [getattr(V1_BUY, name) for name in kept] == [trade[name] for name in kept]
    assert (V1_BUY.event_id, "derived") == (trade["trade_id"], trade["source"])


def test_a_trade_is_a_record_of_the_trades_stream():
    trades, _ = order_trades(frame(V1_BUY), NO_TOKENS)

    assert msgspec.convert(trades.row(0, named=True), Trade).price == "0.42"


def test_a_trade_of_a_known_token_names_its_market_and_outcome():
    tokens = pl.DataFrame({"token_id": ["1", TOKEN], "market_id": ["11", "12"], "outcome": ["No", "Yes"]})
    trade = only(frame(V1_BUY), tokens)

    assert ("12", "Yes") == (trade["market_id"], trade["outcome"])


def test_a_trade_of_an_unknown_token_names_no_market():
    tokens = pl.DataFrame({"token_id": ["1"], "market_id": ["11"], "outcome": ["No"]})
    trade = only(frame(V1_BUY), tokens)

    assert ("", "") == (trade["market_id"], trade["outcome"])


def test_the_takers_own_event_is_no_second_trade_and_is_not_refused():
    trades, refused = order_trades(frame(sold(1, 2), sold(1, 2, role="taker_order")), NO_TOKENS)

    assert (1, 0) == (len(trades), len(refused))


def test_two_equal_fills_of_one_transaction_are_two_trades():
    again = msgspec.structs.replace(V1_BUY, event_id="another", order_hash="another")
    trades, _ = order_trades(frame(V1_BUY, again), NO_TOKENS)

    assert [V1_BUY.event_id, "another"] == trades["trade_id"].to_list()


def test_trades_come_in_the_order_of_their_events():
    events = [
        msgspec.structs.replace(V1_BUY, event_id=str(number), taker_asset_id=str(number)) for number in range(9, 0, -1)
    ]
    tokens = pl.DataFrame({"token_id": ["3", "7"], "market_id": ["a", "b"], "outcome": ["Yes", "No"]})
    trades, _ = order_trades(frame(*events), tokens)

    assert [str(number) for number in range(9, 0, -1)] == trades["trade_id"].to_list()


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (
            msgspec.structs.replace(V1_BUY, maker_asset_id="5", taker_asset_id="7"),
            "expected exactly one asset id 0, found 5 and 7",
        ),
        (
            msgspec.structs.replace(V1_BUY, taker_asset_id="0"),
            "expected exactly one asset id 0, found 0 and 0",
        ),
        (sold(5, 0), "expected a quantity above 0, found 0: there is no price"),
        (sold(0, 5), "expected a price in (0, 1], found 0 usd for 5 shares (millionths)"),
        (sold(6, 5), "expected a price in (0, 1], found 6 usd for 5 shares (millionths)"),
        (sold(-1, 5), "expected no negative amount, found 5 and -1"),
        (sold(1, -5), "expected no negative amount, found -5 and 1"),
        (sold(10**18, 10**18), f"expected amounts below 10^18 millionths, found {10**18} and {10**18}"),
        (
            msgspec.structs.replace(V1_BUY, maker_amount="7434000.5"),
            "expected amounts in whole millionths, found 7434000.5 and 17700000",
        ),
        (
            msgspec.structs.replace(V1_BUY, taker_amount=""),
            "expected amounts in whole millionths, found 7434000 and ",
        ),
        (
            msgspec.structs.replace(V1_BUY, taker_amount="1e7", role="taker_order"),
            "expected amounts in whole millionths, found 7434000 and 1e7",
        ),
    ],
)
def test_an_event_that_can_be_no_trade_is_refused_with_its_place_and_reason(event, reason):
    trades, refused = order_trades(frame(V1_BUY, event, V2_SELL), NO_TOKENS)

    assert [(1, reason)] == refused.rows()
    assert 2 == len(trades)


def test_no_events_give_empty_frames_with_all_columns():
    trades, refused = order_trades(frame(V1_BUY).clear(), NO_TOKENS)

    assert_frame_equal(pl.DataFrame(schema=TRADES), trades)
    assert_frame_equal(pl.DataFrame(schema=REFUSED), refused)


def test_frames_with_rows_have_the_same_types_as_empty_ones():
    trades, refused = order_trades(frame(V1_BUY, sold(6, 5)), NO_TOKENS)

    assert (TRADES, REFUSED) == (trades.schema, refused.schema)


@st.composite
def amounts(draw) -> tuple[int, int]:
    shares = draw(st.integers(1, 10**8) | st.integers(1, MOST) | st.sampled_from([2, 3, 2**59, 5**20, MOST]))
    return draw(st.integers(1, shares) | st.integers(max(1, shares - 3), shares)), shares


@effort(max_examples=150, deadline=None)
@given(st.lists(amounts(), min_size=1, max_size=20))
def test_prices_are_what_exact_division_gives_when_rounded_half_to_even(pairs):
    trades, refused = order_trades(frame(*(sold(usd, shares) for usd, shares in pairs)), NO_TOKENS)

    assert refused.is_empty()
    # Python rounds a fraction half to even.
    assert [round(Fraction(usd * 10**18, shares)) for usd, shares in pairs] == [
        Decimal(text).scaleb(18, EXACT) for text in trades["price"]
    ]


@pytest.mark.parametrize(
    ("usd", "shares", "price"),
    [
        (1, 2 * 10**17, "0.000000000000000005"),
        (1, 4 * 10**17, "0.000000000000000002"),  # 2.5 units: a tie goes to the even neighbour below
        (3, 4 * 10**17, "0.000000000000000008"),  # 7.5 units: a tie goes to the even neighbour above
        (1, MOST, "0.000000000000000001"),
        (2, 3, "0.666666666666666667"),
        (MOST, MOST, "1"),
        (MOST - 1, MOST, "0.999999999999999999"),
    ],
)
def test_the_eighteenth_digit_is_right(usd, shares, price):
    assert price == only(frame(sold(usd, shares)))["price"]


@effort(max_examples=100, deadline=None)
@given(amounts())
def test_size_and_notional_are_the_amounts_without_any_loss(pair):
    trade = only(frame(sold(*pair)))

    assert pair == (Decimal(trade["notional"]).scaleb(6, EXACT), Decimal(trade["size"]).scaleb(6, EXACT))
    assert not any("e" in trade[name].lower() or trade[name].endswith(".") for name in ("price", "size", "notional"))


@pytest.mark.skipif(not RECORDING.exists(), reason=f"no recording: {RECORDING} is not there")
def test_the_recording_gives_the_known_totals():
    lines = [msgspec.json.decode(line) for line in gzip.decompress(RECORDING.read_bytes()).splitlines()[1:]]
    feed = GoldskyFeed(Settings(), Resume())
    events = [
        step
        for line in lines
        if line["direction"] == "in"
        for step in hear(feed, Frame(line["received_ns"], line["payload"].encode(), reply_to="page"))
        if isinstance(step, OrderEvent)
    ]
    trades, refused = order_trades(frame(*events), NO_TOKENS)
    taken, _ = order_trades(
        frame(*(msgspec.structs.replace(e, role="maker_fill") for e in events if e.role == "taker_order")), NO_TOKENS
    )

    assert refused.is_empty()
    assert (7291, Decimal("42444.668836"), Decimal("82543.829064")) == totals(trades)
    assert (3911, Decimal("41869.747331"), Decimal("82543.829064")) == totals(taken)


def totals(trades: pl.DataFrame) -> tuple[int, Decimal, Decimal]:
    return len(trades), sum(map(Decimal, trades["notional"])), sum(map(Decimal, trades["size"]))
