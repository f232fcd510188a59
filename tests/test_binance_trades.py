"""The numbering of Binance's trades: each once, and every missing one told."""

from hypothesis import given, settings
from hypothesis import strategies as st

from common.records import FeedEvent, Trade
from common.settings import Settings
from ingesters.feed import Frame, Resume, hear
from ingesters.venues.binance import BinanceFeed

SYMBOL = "BTCUSDT"
START_NS = 1_723_161_255_000_000_000
TURN_NS = 100_000_000

FATES = st.lists(st.sampled_from(["deliver", "deliver", "drop", "repeat", "hold", "restart"]), max_size=60)


def trade(number: int, now_ns: int) -> bytes:
    return (
        b'{"stream":"btcusdt@trade","data":{"e":"trade","E":%d,"s":"BTCUSDT","t":%d,"p":"9","q":"1","T":%d,"m":true}}'
        % (now_ns // 10**6, number, now_ns // 10**6)
    )


def mark(records: list[Trade | FeedEvent]) -> Resume:
    stored = [record.sequence for record in records if isinstance(record, Trade) and record.sequence is not None]
    return Resume(marks={("trades", SYMBOL): stored[-1]} if stored else {})


def listened(fates: list[str]) -> tuple[list[int], list[Trade | FeedEvent]]:
    """Return the ids that were delivered, and what the feed made of them."""
    feed = BinanceFeed(Settings(), Resume())
    delivered: list[int] = []
    held: list[tuple[int, bytes]] = []
    records: list[Trade | FeedEvent] = []
    for turn, fate in enumerate(["deliver", *fates]):
        now_ns = START_NS + turn * TURN_NS
        told = [(1000 + turn, trade(1000 + turn, now_ns))]
        if fate == "restart":
            feed = BinanceFeed(Settings(), mark(records))
            held = []
        elif fate == "hold":
            held += told
        elif fate != "drop":
            for number, payload in told * (2 if fate == "repeat" else 1) + held:
                delivered.append(number)
                records += hear(feed, Frame(now_ns, payload))
            held = []
    return delivered, records


@settings(max_examples=200, deadline=None)
@given(FATES)
def test_every_trade_that_is_delivered_is_told_once(fates):
    delivered, records = listened(fates)

    assert sorted(set(delivered)) == sorted(int(record.trade_id) for record in records if isinstance(record, Trade))


@settings(max_examples=200, deadline=None)
@given(FATES)
def test_every_trade_that_is_missing_is_inside_a_gap(fates):
    delivered, records = listened(fates)
    gaps = [range(int(event.expected), int(event.found)) for event in records if getattr(event, "kind", "") == "gap"]
    missing = set(range(1000, max(delivered))) - set(delivered)

    assert all(any(number in gap for gap in gaps) for number in missing)
    assert all(set(gap).isdisjoint(delivered[: delivered.index(gap.stop)]) for gap in gaps)


def test_a_gap_is_told_before_the_trade_behind_it():
    feed = BinanceFeed(Settings(), Resume())
    hear(feed, Frame(START_NS, trade(10, START_NS)))
    gap, found, _, question = hear(feed, Frame(START_NS, trade(14, START_NS + TURN_NS)))

    assert ("gap", "trade", "11", "14") == (gap.kind, gap.channel, gap.expected, gap.found)
    assert (START_NS, START_NS + TURN_NS) == (gap.from_ns, gap.to_ns)
    assert "14" == found.trade_id
    assert "historicalTrades?symbol=BTCUSDT&fromId=11&" in question.url


def test_an_old_session_that_is_played_again_after_a_restart_says_nothing():
    feed = BinanceFeed(Settings(), Resume(marks={("trades", SYMBOL): 2000}))
    years_later_ns = START_NS + 2 * 365 * 86_400 * 10**9
    heard = [hear(feed, Frame(years_later_ns, trade(n, START_NS + n * 10**9))) for n in range(1000, 2001)]

    assert [[]] * 1001 == heard


def test_trades_of_another_symbol_have_their_own_numbers():
    feed = BinanceFeed(Settings(), Resume(marks={("trades", SYMBOL): 2000}))
    (other,) = hear(feed, Frame(START_NS, trade(7, START_NS).replace(b"BTCUSDT", b"ETHUSDT")))

    assert ("ETHUSDT", "7") == (other.symbol, other.trade_id)


def test_holes_of_an_old_numbering_let_no_repeat_of_the_new_one_through():
    feed = BinanceFeed(Settings(), Resume())
    later_ns = START_NS + 60 * 10**9
    told = [(10, START_NS), (13, START_NS), *((number, later_ns) for number in range(1, 12))]
    for number, now_ns in told:
        hear(feed, Frame(now_ns, trade(number, now_ns)))

    assert [] == hear(feed, Frame(later_ns, trade(11, later_ns)))
