"""Numbers of Upstox keep their value, and two implementations of its wire agree."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from ingesters.venues import upstox_pb2 as pb
from ingesters.venues.upstox_wire import decimal_text
from simulator.venues import upstox_wire as by_hand

doubles = st.floats(allow_nan=False, allow_infinity=False)
whole_numbers = st.integers(0, 2**63 - 1)


@given(doubles)
def test_a_double_becomes_plain_decimal_text_of_the_same_double(value):
    text = decimal_text(value)

    assert struct.pack("<d", value) == struct.pack("<d", float(text))
    assert set(text) <= set("-.0123456789")


@given(st.integers(0, 10**9), st.sampled_from([100, 20, 10_000]))
def test_a_price_in_steps_becomes_the_text_that_the_venue_wrote(steps, step_of):
    whole, part = divmod(steps * (10_000 // step_of), 10_000)
    written = f"{whole}.{part:04d}".rstrip("0").removesuffix(".")

    assert written == decimal_text(steps / step_of)


@given(doubles, whole_numbers, whole_numbers, doubles)
def test_what_is_written_by_hand_is_read_by_the_generated_code(price, time, size, close):
    written = by_hand.real(1, price) + by_hand.whole(2, time) + by_hand.whole(3, size) + by_hand.real(4, close)

    assert pb.LTPC(ltp=price, ltt=time, ltq=size, cp=close) == pb.LTPC.FromString(written)


@given(st.dictionaries(st.text(max_size=200), doubles, max_size=9), whole_numbers, st.data())
def test_frames_are_taken_apart_without_changing_them(prices, now_ms, data):
    entries = [by_hand.entry(2, key, by_hand.inner(1, by_hand.real(1, price))) for key, price in prices.items()]
    frame = by_hand.frame_of(by_hand.LIVE, entries, now_ms)
    wanted = data.draw(st.sets(st.sampled_from(sorted(prices)))) if prices else set()
    kept = pb.FeedResponse.FromString(by_hand.only(frame, wanted))

    assert tuple(prices) == by_hand.keys_of(frame)
    assert frame == by_hand.only(frame, prices)
    assert {key: prices[key] for key in wanted} == {key: feed.ltpc.ltp for key, feed in kept.feeds.items()}
    assert (pb.live_feed, now_ms) == (kept.type, kept.currentTs)
