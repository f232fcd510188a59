"""Fields that a venue never sent before: told once, never in a flood, and never at the cost of a record."""

import gzip
from functools import cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from common.records import Bar, BookUpdate, FeedEvent, Quote, Record, Trade
from common.settings import Settings
from ingesters.feed import Frame, Resume, hear
from ingesters.venues.binance import DELTAS_A_LOOK, BinanceFeed
from ingesters.venues.binance_fields import KNOWN as BINANCE
from ingesters.venues.gamma import read_page
from ingesters.venues.gamma_fields import MARKET, PAGE
from ingesters.venues.novelty import EXAMPLE_CHARACTERS, MOST_NAMES, Novelty
from ingesters.venues.polymarket_notices import Notices
from tests.gamma_kit import Loop, gamma_of, market

CAPTURES = Path(__file__).parents[2] / "shared" / "captures"
BINANCE_SESSIONS = (
    "binance-btcusdt-20240808.jsonl.gz",
    "binance-ten-symbols-20210405.jsonl.gz",
    "binance-singles-2021.jsonl.gz",
)
GAMMA_WALKS = ("polymarket-gamma-markets-20260311-1.jsonl.gz", "polymarket-gamma-btc5m-closed-20260608.jsonl.gz")
GAMMA_SINGLES = "polymarket-singles-2026.jsonl.gz"
KNOWN = BINANCE | {"markets": MARKET, "markets/keyset": PAGE}

NOW_NS = 1_723_161_255_000_000_000
needs_recordings = pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"no recordings: {CAPTURES} is not there")


def feed_of_binance() -> BinanceFeed:
    feed = BinanceFeed(Settings(), Resume())
    list(feed.opening())
    return feed


def said(feed: BinanceFeed, payload: bytes, reply_to: str | None = None) -> list[Record]:
    return [step for step in hear(feed, Frame(NOW_NS, payload, reply_to=reply_to)) if isinstance(step, Record)]


def combined(stream: str, message: dict[str, object]) -> bytes:
    return msgspec.json.encode({"stream": f"btcusdt@{stream}", "data": message})


def trade(number: int, **more: object) -> bytes:
    told = {"e": "trade", "s": "BTCUSDT", "t": number, "p": "61837.63", "q": "0.02", "T": 1723161255342, "m": True}
    return combined("trade", told | more)


def quote(number: int, **more: object) -> bytes:
    return combined("bookTicker", {"u": number, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2", "A": "1"} | more)


def delta(number: int, **more: object) -> bytes:
    told = {"e": "depthUpdate", "E": 1723161255208, "s": "BTCUSDT", "U": number, "u": number, "b": [], "a": []}
    return combined("depth@100ms", told | more)


def kline(candle: dict[str, object]) -> bytes:
    told = {"t": 1, "i": "1m", "o": "1", "h": "1", "l": "1", "c": "1", "v": "1", "n": 1, "x": True}
    return combined("kline_1m", {"e": "kline", "E": 1723161255208, "s": "BTCUSDT", "k": told | candle})


def found(records: list[Record]) -> list[tuple[str, str]]:
    """Return the channel and the new names of everything that was told about fields."""
    told = [record for record in records if isinstance(record, FeedEvent)]
    assert all(event.kind == "schema_change" for event in told)
    return [(event.channel, event.found) for event in told]


def test_a_new_field_is_told_once_and_the_trades_are_stored():
    feed = feed_of_binance()
    records = [*said(feed, trade(1, Z=7)), *said(feed, trade(2, Z=7))]

    assert [Trade, FeedEvent, Trade] == [type(record) for record in records]
    assert [("trade", "Z")] == found(records[1:2])


def test_what_is_told_names_the_known_fields_and_shows_the_message():
    payload = trade(1, Z=7, Y=[1])
    event = said(feed_of_binance(), payload)[1]

    assert ("E, M, T, a, b, e, m, p, q, s, t", "Y, Z") == (event.expected, event.found)
    assert payload.decode() == event.detail
    assert (NOW_NS, NOW_NS, NOW_NS) == (event.from_ns, event.to_ns, event.received_ns)


def test_a_field_that_comes_later_is_seen_when_a_thousand_deltas_have_come():
    feed = feed_of_binance()
    said(feed, trade(1))
    before = said(feed, trade(2, Z=7))
    for number in range(1, DELTAS_A_LOOK + 1):
        said(feed, delta(number))

    assert ([], [("trade", "Z")]) == (found(before[1:]), found(said(feed, trade(3, Z=7))[1:]))


@pytest.mark.parametrize(
    ("payload", "reply_to", "stored", "told"),
    [
        (quote(1, E=1), None, [Quote], [("bookTicker", "E")]),
        (delta(1, pu=1), None, [], [("depthUpdate", "pu")]),
        (kline({"z": 1}), None, [Bar], [("kline", "k.z")]),
        (kline({"M": {"deep": 1}}), None, [Bar], [("kline", "k.M")]),
        (b'{"lastUpdateId":7,"bids":[],"asks":[],"T":1}', "snapshot:BTCUSDT", [BookUpdate], [("depth", "T")]),
        (trade(1)[:-1] + b',"ts":1}', None, [Trade], [("combined", "ts")]),
    ],
    ids=["best bid and ask", "delta", "candle", "object in a candle", "snapshot", "envelope"],
)
def test_every_kind_of_message_is_looked_at(payload, reply_to, stored, told):
    records = said(feed_of_binance(), payload, reply_to)

    assert (stored, told) == (
        [type(record) for record in records if not isinstance(record, FeedEvent)],
        found([record for record in records if isinstance(record, FeedEvent)]),
    )


@pytest.mark.parametrize("message", [trade(1, b=1, a=2, M=True), trade(1, E=5), quote(1), kline({"B": "0", "V": "1"})])
def test_fields_that_went_and_fields_that_we_do_not_use_are_no_news(message):
    assert [] == found(said(feed_of_binance(), message)[1:])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@effort(max_examples=200, deadline=None)
@given(st.binary(max_size=6).filter(lambda name: not set(name) & set(b'"\\') and min(name, default=32) >= 32), JSON)
def test_no_name_and_no_value_of_a_new_field_costs_a_record(name, value):
    payload = trade(1)[:-2] + b',"' + name + b'_":' + msgspec.json.encode(value) + b"}}"

    assert [Trade, FeedEvent] == [type(record) for record in said(feed_of_binance(), payload)]


@given(
    st.sampled_from(sorted(KNOWN)).flatmap(
        lambda kind: st.tuples(st.just(kind), st.sets(st.sampled_from(sorted(KNOWN[kind]))))
    )
)
def test_any_known_fields_are_no_news(message):
    kind, names = message

    assert [] == list(Novelty("venue", KNOWN).notice(kind, names, b"{}", NOW_NS))


@given(st.lists(st.sets(st.text("abcdef", min_size=1, max_size=2))))
def test_every_new_name_is_told_exactly_once(messages):
    novelty = Novelty("venue", {"kind": frozenset(("a", "b"))})
    told = [event.found.split(", ") for names in messages for event in novelty.notice("kind", names, b"{}", NOW_NS)]

    assert sorted(set().union(*messages) - {"a", "b"}) == sorted(name for names in told for name in names)


def test_names_without_end_end_in_silence():
    novelty = Novelty("venue", {"kind": frozenset()})
    told = [list(novelty.notice("kind", {f"0x{number:x}"}, b"{}", NOW_NS)) for number in range(2 * MOST_NAMES)]

    assert MOST_NAMES == sum(map(len, told))


def test_of_a_long_example_the_part_with_the_new_field_is_shown():
    example = msgspec.json.encode({"description": "x" * 5000, "new": 1, "more": "y" * 5000})
    (event,) = Novelty("venue", {"kind": frozenset(("description", "more"))}).notice(
        "kind", {"description", "new", "more"}, example, NOW_NS
    )

    assert (True, EXAMPLE_CHARACTERS) == (event.detail.startswith('"new":1,"more":"yyy'), len(event.detail))


def test_a_new_field_of_markets_is_told_once_however_many_have_it():
    gamma = gamma_of(250)
    for told in gamma.markets.values():
        told["shinyNewField"] = 1
    loop = Loop(gamma)
    loop.run_for(2000)
    events = [record for record in loop.records if isinstance(record, FeedEvent)]

    assert ([("markets", "shinyNewField")], 250) == (found(events), len(loop.ids()))


def test_a_new_field_of_a_market_that_was_searched_for_is_told():
    gamma = gamma_of(0)
    loop = Loop(gamma)
    loop.run_for(1)
    gamma.add(market(7, shinyNewField=1))
    loop.words.add("71")
    loop.run_for(3)

    assert ["shinyNewField"] == [record.found for record in loop.records if isinstance(record, FeedEvent)]


def test_objects_that_are_no_markets_leave_the_others_alone():
    page = Frame(NOW_NS, b'{"markets":[7,[1],{"id":"1","odd":1}],"total":3}')
    told = list(Notices().new_fields(page, read_page(page.payload, "").objects))

    assert [("markets/keyset", "total"), ("markets", "odd")] == found(told)


class Event(msgspec.Struct):
    received_ns: int
    payload: str
    url: str = ""
    direction: str = "in"


@cache
def recorded(name: str) -> list[Event]:
    lines = gzip.decompress((CAPTURES / name).read_bytes()).splitlines()[1:]
    return [event for line in lines if (event := msgspec.json.decode(line, type=Event)).direction == "in"]


@needs_recordings
@pytest.mark.parametrize("name", BINANCE_SESSIONS)
def test_nothing_is_new_in_any_recorded_frame(name):
    feed = feed_of_binance()
    told = []
    for event in recorded(name):
        feed._watch.look_again()
        reply_to = "snapshot:" + event.url.partition("symbol=")[2].partition("&")[0] if event.url else None
        told += [record for record in said(feed, event.payload.encode(), reply_to) if isinstance(record, FeedEvent)]

    assert [] == told


@needs_recordings
@pytest.mark.parametrize("name", GAMMA_WALKS)
def test_nothing_is_new_in_any_recorded_market(name):
    notices = Notices()
    pages = [Frame(event.received_ns, event.payload.encode()) for event in recorded(name)]
    told = [event for page in pages for event in notices.new_fields(page, read_page(page.payload, "offset:0").objects)]

    assert [] == told


@needs_recordings
def test_nothing_is_new_in_recorded_markets_of_all_ages():
    notices = Notices()
    singles = [
        event.payload.encode()
        for event in recorded(GAMMA_SINGLES)
        if "gamma-api" in event.url and "/markets" in event.url
    ]

    assert len(singles) > 5
    assert [] == list(notices.new_fields(Frame(NOW_NS, b"[]"), singles))
