"""The walk over the subgraph: nothing lost in a busy second, nothing doubled by a kill, no error taken for silence."""

import gzip
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from common.errors import BadAnswer, WireError
from common.records import DeadLetter, FeedEvent, OrderEvent
from common.settings import Settings
from ingesters.feed import Checkpoint, Fetch, Frame, Resume, hear
from ingesters.venues.goldsky import GoldskyFeed
from ingesters.venues.goldsky_events import EXCHANGES
from tests.goldsky_kit import EXCHANGE, SECOND_NS, START_S, Loop, Subgraph, row

RECORDING = Path(__file__).parents[2] / "shared" / "captures" / "goldsky-orderfilled-derived-1.jsonl.gz"
NOW_NS = START_S * SECOND_NS


def page(*rows: dict[str, str], **answer: object) -> bytes:
    return msgspec.json.encode({"data": {"orderFilledEvents": rows}} | answer)


def heard(feed: GoldskyFeed, body: bytes, key: str = "page") -> list:
    return hear(feed, Frame(NOW_NS, body, reply_to=key))


def fresh(**state: str) -> GoldskyFeed:
    return GoldskyFeed(Settings(), Resume({f"goldsky_{name}": value for name, value in state.items()}))


def only_event(**told: str) -> OrderEvent:
    return next(step for step in heard(fresh(), page(row(1, START_S, **told))) if isinstance(step, OrderEvent))


def question(steps: list, key: str = "page") -> dict:
    return msgspec.json.decode(next(step.body for step in steps if isinstance(step, Fetch) and step.key == key))


def test_the_first_question_begins_where_the_settings_say():
    feed = GoldskyFeed(Settings(goldsky_start_timestamp=77), Resume())

    assert {"ts": "77", "id": "", "n": 1000} == question(list(feed.opening()))["variables"]


def test_a_restart_goes_on_behind_the_last_event_that_was_kept():
    steps = list(fresh(last_timestamp="90", last_id="0xb").opening())

    assert {"ts": "90", "id": "0xb", "n": 1000} == question(steps)["variables"]


def test_a_page_is_events_then_their_place_then_the_next_question():
    steps = heard(fresh(), page(row("a", 5), row("b", 5)))

    assert ["OrderEvent", "OrderEvent", "Checkpoint"] == [type(step).__name__ for step in steps[1:4]]
    assert {"goldsky_last_timestamp": "5", "goldsky_last_id": "b"} == dict(steps[3].state)


def test_after_a_full_page_the_next_one_is_asked_for_at_once():
    steps = heard(fresh(), page(*(row(f"{number:04}", 5) for number in range(1000))))

    assert 0.0 == steps[-1].after_s
    assert {"ts": "5", "id": "0999", "n": 1000} == question(steps)["variables"]


def test_after_a_short_page_the_feed_waits():
    assert Settings().goldsky_poll_s == heard(fresh(), page(row(1, 5)))[-1].after_s


def test_an_empty_page_moves_nothing():
    steps = heard(fresh(last_timestamp="90", last_id="b"), page())

    assert not [step for step in steps if isinstance(step, Checkpoint)]
    assert {"ts": "90", "id": "b", "n": 1000} == question(steps)["variables"]


def test_a_row_at_or_before_the_place_is_a_repeat():
    steps = heard(fresh(last_timestamp="90", last_id="b"), page(row("z", 89), row("a", 90), row("b", 90), row("c", 90)))

    assert ["c"] == [step.event_id for step in steps if isinstance(step, OrderEvent)]


def test_a_row_sent_twice_in_a_page_is_one_event():
    steps = heard(fresh(), page(row("a", 5), row("a", 5), row("b", 5)))

    assert ["a", "b"] == [step.event_id for step in steps if isinstance(step, OrderEvent)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502 Bad Gateway</html>",
        page(row("a", 5))[:-20],
        b"{}",
        b"[]",
        b'{"data":null}',
        b'{"data":{}}',
        b'{"data":{"orderFilledEvents":null}}',
        b'{"errors":[{"message":"Store error: database unavailable"}]}',
        b'{"errors":[{}]}',
        page(row("a", 5), errors=[{"message": "partial"}]),
        page(row("a", 5), row("b", 4)),
        page(row("b", 5), row("a", 5)),
        page(row("a", 5), row("a", 5, fee="1")),
    ],
)
def test_an_answer_that_is_none_is_asked_for_again_and_changes_nothing(body):
    feed = fresh(last_timestamp="1", last_id="x")
    with pytest.raises(BadAnswer):
        heard(feed, body)

    after = heard(feed, page(row("a", 5)))
    assert ["a"] == [step.event_id for step in after if isinstance(step, OrderEvent)]


def without(told: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in told.items() if name not in names}


PLACED = [row("b", 5, maker={"id": "0x1"}), without(row("b", 5), "orderHash"), row("b", 5, fee=0)]
PLACELESS = [row("b", 5) | {"timestamp": 5}, row("b", "soon"), row("", 5), without(row("b", 5), "id"), None, 5]


def of_kind(steps: list, *kinds: type) -> list:
    return [step for step in steps if isinstance(step, kinds)]


@pytest.mark.parametrize("odd", PLACED + PLACELESS)
def test_a_row_of_another_shape_is_set_aside_whole_and_told_and_the_rows_beside_it_are_taken(odd):
    steps = heard(fresh(), page(row("a", 5), odd, row("c", 5)))
    (letter,) = of_kind(steps, DeadLetter)
    (told,) = of_kind(steps, FeedEvent)[:1]

    assert odd == msgspec.json.decode(letter.payload)
    assert ("schema_change", letter.reason, letter.payload) == (told.kind, told.found, told.detail)
    assert ["a", "c"] == [step.event_id for step in of_kind(steps, OrderEvent)]
    assert ("5", "c") == tuple(of_kind(steps, Checkpoint)[0].state.values())


@pytest.mark.parametrize("odd", PLACED)
def test_an_odd_row_at_the_end_is_gone_past_if_it_tells_its_place(odd):
    asked = question(heard(fresh(), page(row("a", 5), odd)))["variables"]

    assert ("5", "b") == (asked["ts"], asked["id"])


@pytest.mark.parametrize("odd", PLACELESS)
def test_an_odd_row_at_the_end_that_tells_no_place_is_asked_for_again_and_told_once(odd):
    feed = fresh()
    heard(feed, page(row("a", 5), odd))
    again = heard(feed, page(odd))

    assert [] == of_kind(again, DeadLetter, FeedEvent, Checkpoint)
    assert ("5", "a") == tuple(question(again)["variables"][name] for name in ("ts", "id"))


def test_a_full_page_without_any_place_is_told_once_and_asked_for_again_in_the_usual_pace():
    feed, nowhere = fresh(last_timestamp="1", last_id="x"), page(*({"number": number} for number in range(1000)))
    first, again = heard(feed, nowhere), heard(feed, nowhere)
    told = [event for event in of_kind(first, FeedEvent) if event.channel == "orderFilledEvents"]

    assert (1000, 1) == (len(of_kind(first, DeadLetter)), len(told))
    assert [] == of_kind(again, DeadLetter, FeedEvent, Checkpoint)
    assert Settings().goldsky_poll_s == again[-1].after_s


def test_a_full_page_that_leads_nowhere_is_no_answer():
    old = page(*(row(f"{number:04}", 5) for number in range(1000)))

    with pytest.raises(BadAnswer, match="a full page of older ones"):
        heard(fresh(last_timestamp="90", last_id=""), old)


def test_an_odd_row_in_an_answer_that_is_not_taken_is_set_aside_when_one_is():
    feed = fresh(last_timestamp="5", last_id="a")
    with pytest.raises(BadAnswer):
        heard(feed, page(*(row(f"{number:04}", 4) for number in range(999)), PLACELESS[0]))

    assert 1 == len(of_kind(heard(feed, page(PLACELESS[0])), DeadLetter))


def test_bytes_that_nobody_asked_for_are_kept_as_an_error():
    with pytest.raises(WireError):
        hear(fresh(), Frame(NOW_NS, page(row(1, 5))))


@pytest.mark.parametrize("exchange", sorted(EXCHANGES))
def test_an_exchange_as_taker_marks_the_takers_own_event_in_any_spelling(exchange):
    assert ("taker_order", exchange) == (only_event(taker="0x" + exchange[2:].upper()).role, exchange)


def test_anybody_else_as_taker_marks_a_makers_fill():
    assert "maker_fill" == only_event().role


@pytest.mark.parametrize(
    ("maker", "taker", "symbol"), [("0", "71", "71"), ("71", "0", "71"), ("0", "0", ""), ("71", "72", "")]
)
def test_the_symbol_is_the_one_token_beside_collateral(maker, taker, symbol):
    assert symbol == only_event(makerAssetId=maker, takerAssetId=taker).symbol


def test_an_event_keeps_its_identity_its_amounts_and_its_fee():
    event = only_event(maker="0xAB", taker=EXCHANGE, fee="1770000", orderHash="0xcad")

    assert (
        OrderEvent(
            venue="polymarket",
            symbol="71",
            received_ns=NOW_NS,
            event_id="1",
            event_ns=START_S * SECOND_NS,
            transaction_hash="0x1",
            order_hash="0xcad",
            maker="0xab",
            taker=EXCHANGE,
            maker_asset_id="0",
            taker_asset_id="71",
            maker_amount="400000",
            taker_amount="1000000",
            fee="1770000",
            role="taker_order",
            source="subgraph",
        )
        == event
    )


def test_a_second_with_more_events_than_a_page_is_read_whole():
    subgraph = Subgraph()
    subgraph.add(*(row(f"{number:05}", START_S) for number in range(2500)), row("later", START_S + 1))
    loop = Loop(subgraph)
    loop.run_for(1)

    assert sorted(subgraph.rows) == loop.ids()
    assert 3 == len(subgraph.asked)


@effort(max_examples=60, deadline=None)
@given(
    seconds=st.lists(st.integers(0, 12), min_size=1, max_size=60),
    cap=st.integers(1, 40),
    faults=st.lists(st.sampled_from(["", "", "", "kill", "spoil", "grow"]), max_size=80),
)
def test_every_event_is_recorded_once_in_order_whatever_is_killed_or_spoilt(seconds, cap, faults):
    rows = [row(f"{number:03}", START_S + second // 4) for number, second in enumerate(sorted(seconds))]
    subgraph = Subgraph(most_rows=cap)
    subgraph.add(*rows[: len(rows) // 2])
    loop = Loop(subgraph)
    for fault in faults:
        if fault == "grow":
            subgraph.add(*rows)
        loop.turn(spoil=b'{"errors":[{"message":"timeout"}]}' if fault == "spoil" else None, is_killed=fault == "kill")
    subgraph.add(*rows)
    loop.run_for(5 * len(rows) + 600)

    assert [row["id"] for row in rows] == loop.ids()


@pytest.mark.skipif(not RECORDING.exists(), reason=f"no recording: {RECORDING} is not there")
def test_the_recording_gives_the_known_events():
    feed, events = fresh(), []
    for line in gzip.decompress(RECORDING.read_bytes()).splitlines()[1:]:
        told = msgspec.json.decode(line)
        if told["direction"] == "in":
            events += [step for step in heard(feed, told["payload"].encode()) if isinstance(step, OrderEvent)]
    usd = {
        role: Decimal(sum(_usd(event) for event in events if event.role == role)) / 10**6
        for role in ("taker_order", "maker_fill")
    }

    assert 11202 == len({event.event_id for event in events}) == len(events)
    assert {"taker_order": Decimal("41869.747331"), "maker_fill": Decimal("42444.668836")} == usd


def _usd(event: OrderEvent) -> int:
    return int(event.maker_amount if event.maker_asset_id == "0" else event.taker_amount)
