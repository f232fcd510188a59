"""JSON and msgpack mean the same, and no digit is lost in either."""

import gzip
import json
import struct
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.records import BookUpdate, DeadLetter, Quote, Record, Trade
from ingesters.feed import Checkpoint, Frame
from ingesters.venues.alpaca_codec import MSGPACK, json_number
from ingesters.venues.alpaca_time import rfc3339_ns
from tests.alpaca_kit import Talk

CAPTURES = Path(__file__).parents[2] / "shared" / "captures"
SAMPLES = "alpaca-stream-samples-2021-2025.jsonl.gz"
QUOTE = {"T": "q", "S": "AAPL", "bp": 1, "bs": 1, "ap": 2, "as": 1, "t": "2024-07-24T07:56:53Z"}


def stamp(time_ns):
    """Return the 8-byte form of a Timestamp extension, as the venue sends it."""
    seconds, fraction_ns = divmod(time_ns, 10**9)
    return msgspec.msgpack.Ext(-1, struct.pack(">Q", fraction_ns << 34 | seconds))


def in_msgpack(messages):
    return msgspec.msgpack.encode(
        [{name: stamp(rfc3339_ns(value)) if name == "t" else value for name, value in one.items()} for one in messages]
    )


def meaning(payload, *, is_crypto):
    talk = Talk(is_crypto=is_crypto)
    return [step for step in talk.hear(payload) if isinstance(step, Record | Checkpoint)]


def raw(value):
    """Return a value as it stands in a msgpack frame."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=msgspec.Raw)


def test_every_documented_frame_means_the_same_in_both(captures):
    lines = gzip.decompress((captures / SAMPLES).read_bytes()).splitlines()[1:]
    for line in map(json.loads, lines):
        is_crypto = line["connection"] == "ws-crypto"
        text = line["payload"].encode()

        assert meaning(text, is_crypto=is_crypto) == meaning(in_msgpack(json.loads(text)), is_crypto=is_crypto)


def test_the_documented_timestamp_is_exact():
    documented = bytes.fromhex("d7ff9885071c66a0b3c5")

    assert 1721807813639713735 == MSGPACK.time_ns(msgspec.Raw(documented))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("d6ff66a0b3c5", 1721807813_000000000),
        ("c70cff262141c70000000066a0b3c5", 1721807813_639713735),
        ("c70cff00000001ffffffffffffffff", -999999999),
    ],
)
def test_the_short_and_the_long_timestamp_are_read_too(data, expected):
    assert expected == MSGPACK.time_ns(msgspec.Raw(bytes.fromhex(data)))


def test_a_time_may_be_a_text_in_msgpack():
    assert 1 == MSGPACK.time_ns(raw("1970-01-01T00:00:00.000000001Z"))


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_ids_of_any_size_are_exact(number):
    message = {"T": "t", "S": "BTC/USD", "i": number, "p": 1, "s": 1, "t": "2024-07-24T07:56:53Z"}

    for payload in (msgspec.json.encode([message]), in_msgpack([message])):
        talk = Talk(is_crypto=True)
        talk.hear(payload)
        assert [str(number)] == talk.trade_ids()


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False, places=9))
def test_a_price_in_json_is_stored_as_it_was_written(price):
    talk = Talk()
    talk.hear(msgspec.json.encode([QUOTE]).replace(b'"bp":1', f'"bp":{price:f}'.encode()))

    assert [f"{price:f}"] == [quote.bid_price for quote in talk.of(Quote)]


@given(st.floats(min_value=0, max_value=1e15, allow_nan=False))
def test_a_price_in_msgpack_is_the_shortest_text_that_means_it(price):
    text = MSGPACK.number(raw(price))

    assert price == float(text)
    assert "e" not in text


@given(st.integers(min_value=0, max_value=10**7))
def test_a_price_in_four_bytes_does_not_grow_false_digits(hundredths):
    price = Decimal(hundredths) / 100
    four_bytes = b"\xca" + struct.pack(">f", float(price))
    found = Decimal(MSGPACK.number(msgspec.Raw(four_bytes)))

    assert struct.pack(">f", float(found)) == four_bytes[1:]
    assert hundredths > 99_999 or price == found


@pytest.mark.parametrize("text", [b"null", b'"abc"', b"NaN", b"true", b"[1]", b"{}"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="expected a number"):
        json_number(msgspec.Raw(text))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, [1]])
def test_what_is_no_number_is_refused_in_msgpack(value):
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        MSGPACK.number(raw(value))


def test_an_exponent_is_written_out():
    assert "0.00000012" == json_number(msgspec.Raw(b"1.2e-7"))


def test_one_bad_message_in_a_msgpack_frame_is_set_aside_alone():
    good = {"T": "t", "S": "AAPL", "i": 1, "x": "V", "p": 1.5, "s": 1, "t": "2024-07-24T07:56:53Z"}
    talk = Talk()
    talk.hear(in_msgpack([good, {**good, "i": "two"}, {"T": "new"}, {**good, "i": 3}]))

    assert ["V-20240723-1", "V-20240723-3"] == talk.trade_ids()
    assert 2 == len(talk.of(DeadLetter))


def test_a_book_is_told_best_level_first():
    levels = [{"p": 9.5, "s": 1}, {"p": 10, "s": 2}, {"p": 9.75, "s": 3}]
    message = {"T": "o", "S": "BTC/USD", "t": "2024-07-24T07:56:53Z", "b": levels, "a": levels, "r": True}
    talk = Talk(is_crypto=True)
    talk.hear([message])
    book = talk.of(BookUpdate)[0]

    assert (("10", "9.75", "9.5"), ("9.5", "9.75", "10")) == (book.bid_prices, book.ask_prices)


def test_commands_are_msgpack_when_the_settings_say_so():
    talk = Talk(alpaca_codec="msgpack")
    step = talk.feed.receive(Frame(1, in_msgpack([{"T": "success", "msg": "connected"}])))[0]

    assert step.is_binary
    assert {"action": "auth", "key": "key", "secret": "secret"} == msgspec.msgpack.decode(step.payload)
    assert (("Content-Type", "application/msgpack"),) == talk.opened[0].headers


def test_trades_of_one_number_on_three_exchanges_are_three():
    told = [
        {"T": "t", "S": "AAPL", "i": 7, "x": exchange, "p": 1, "s": 1, "t": "2024-07-24T14:00:00Z"}
        for exchange in "KZP"
    ]
    talk = Talk()
    talk.hear(told)

    assert ["K-20240724-7", "Z-20240724-7", "P-20240724-7"] == talk.trade_ids()
    assert 3 == len(talk.of(Trade))
