"""What a market object of Gamma means: times, numbers and lists in all their shapes, and the recorded markets."""

import gzip
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.records import Market
from ingesters.venues.gamma import nanoseconds, read_market, read_page
from tests.gamma_kit import market

CAPTURES = Path(__file__).parents[2] / "shared" / "captures"
OPEN = "polymarket-gamma-markets-20260311-1.jsonl.gz"
CLOSED = "polymarket-gamma-btc5m-closed-20260608.jsonl.gz"


def read(**told: object) -> Market:
    return read_market(msgspec.json.encode(market(7, **told)), 5)


def read_raw(text: str) -> Market:
    """Read a market with some more JSON behind its id."""
    return read_market(b'{"id":"7",%s}' % text.encode(), 5)


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("2025-03-26T14:44:34.145447Z", 1_743_000_274_145_447_000),
        ("2025-03-26T14:44:34.1Z", 1_743_000_274_100_000_000),
        ("2026-03-31T12:00:00Z", 1_774_958_400_000_000_000),
        ("2026-03-31", 1_774_915_200_000_000_000),
        ("2026-07-24 00:00:16+00", 1_784_851_216_000_000_000),
        ("", None),
        (None, None),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
    ],
)
def test_every_shape_of_a_time_is_utc_nanoseconds(text, expected_ns):
    assert expected_ns == nanoseconds(text)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001  (hypothesis wants naive bounds)
def test_a_time_keeps_every_microsecond(at):
    at = at.replace(tzinfo=UTC)
    whole_s = int(at.replace(microsecond=0).timestamp())
    text = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond:06}".rstrip("0")

    assert whole_s * 10**9 + at.microsecond * 1000 == nanoseconds(text.rstrip(".") + "Z")


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "1773261050743"])
def test_a_text_that_is_no_time_is_an_error(text):
    with pytest.raises(ValueError, match=r".+"):
        nanoseconds(text)


@pytest.mark.parametrize(
    ("json", "volume"),
    [
        ('"volume":"80362.86028499973"', "80362.86028499973"),
        ('"volume":"80362.86028499973","volumeNum":80362.8602849997', "80362.86028499973"),
        ('"volumeNum":0.1234567890123456789012', "0.1234567890123456789012"),
        ('"volumeNum":12', "12"),
        ('"volumeNum":1.50', "1.50"),
        ('"volumeNum":1e-7', "0.0000001"),
        ('"volume":"2.5E+3"', "2500"),
        ('"volume":null,"volumeNum":3.0', "3.0"),
        ('"volume":"","volumeNum":null', None),
        ('"closed":true', None),
    ],
)
def test_a_volume_keeps_its_digits(json, volume):
    assert volume == read_raw(json).volume


@pytest.mark.parametrize("json", ['"volume":"much"', '"volume":"NaN"', '"volumeNum":[1]', '"volumeNum":true'])
def test_a_volume_that_is_no_number_is_an_error(json):
    with pytest.raises((ValueError, ArithmeticError)):
        read_raw(json)


def test_missing_keys_stay_unknown():
    told = read_raw('"slug":"a"')

    assert (
        Market("polymarket", "a", 5, market_id="7", condition_id="", question="", slug="a", outcomes=(), token_ids=())
        == told
    )


def test_lists_inside_strings_are_unpacked():
    told = read(outcomes='["Up", "Down \\u2193"]', clobTokenIds='["11", "12"]')

    assert (("Up", "Down ↓"), ("11", "12")) == (told.outcomes, told.token_ids)


@pytest.mark.parametrize("outcomes", ["[1, 2]", "Yes", '{"a": 1}', '["Yes"'])
def test_a_list_that_cannot_be_unpacked_is_an_error(outcomes):
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        read(outcomes=outcomes)


def test_a_market_of_the_second_protocol_has_its_tokens_in_a_real_array():
    told = read(version="v2", positionIds=["21", "22"], clobTokenIds='["11", "12"]')

    assert ("21", "22") == told.token_ids


def test_a_market_of_the_first_protocol_keeps_its_own_tokens():
    told = read(version="v1", positionIds=["21", "22"], clobTokenIds='["11", "12"]')

    assert ("11", "12") == told.token_ids


@pytest.mark.parametrize("other", ["negRiskOther", "negRiskAugmented"])
def test_only_neg_risk_itself_says_neg_risk(other):
    assert (True, False, None) == (
        read(negRisk=True, **{other: False}).neg_risk,
        read(negRisk=False, **{other: True}).neg_risk,
        read(**{other: True}).neg_risk,
    )


def test_a_market_without_an_end_takes_the_day_it_ends():
    assert nanoseconds("2026-03-31") == read(endDateIso="2026-03-31").end_ns


@cache
def recorded(name: str) -> dict[str, Market]:
    lines = gzip.decompress((CAPTURES / name).read_bytes()).splitlines()[1:]
    pages = [read_page(msgspec.json.decode(line)["payload"].encode(), "offset:0") for line in lines]
    markets = [read_market(raw, 5) for page in pages for raw in page.objects]
    return {told.market_id: told for told in markets}


@pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"no recordings: {CAPTURES} is not there")
@pytest.mark.parametrize("name", [OPEN, CLOSED])
def test_the_recordings_give_the_known_figures(name):
    truth = msgspec.json.decode((CAPTURES / "ground_truth.json").read_bytes())["files"][name]["gamma"]
    markets = recorded(name).values()
    figures = {
        "distinct_markets": len(markets),
        "distinct_slugs": len({told.slug for told in markets}),
        "distinct_tokens": len({token for told in markets for token in told.token_ids}),
        "neg_risk": sum(told.neg_risk is True for told in markets),
        "sum_volume": str(sum(Decimal(told.volume) for told in markets if told.volume is not None)),
        "without_volume": sum(told.volume is None for told in markets),
        "closed": sum(told.closed is True for told in markets),
        "first_id": min((told.market_id for told in markets), key=int),
        "last_id": max((told.market_id for told in markets), key=int),
    }

    assert {name: truth[name] for name in figures} == figures


@pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"no recordings: {CAPTURES} is not there")
def test_every_recorded_closed_market_says_when_it_closed():
    assert all(told.closed_ns is not None and told.created_ns < told.closed_ns for told in recorded(CLOSED).values())
