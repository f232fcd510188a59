"""Gamma when it does not do as it should: no answer, refusals, dead endpoints, bad objects."""

import pytest

from common.errors import BadAnswer, FeedRefused, WireError
from common.records import DeadLetter
from common.settings import Settings
from ingesters.feed import Frame, Resume, hear
from ingesters.venues.polymarket import PolymarketFeed
from tests.gamma_kit import START_S, Loop, gamma_of, market


def answered(payload: bytes, status: int = 200, key: str = "open") -> list:
    feed = PolymarketFeed(Settings(), Resume())
    list(feed.opening())
    return hear(feed, Frame(START_S * 10**9, payload, reply_to=key, status=status))


def test_a_sort_that_gamma_ignores_is_told_once_and_ends_that_walk():
    gamma = gamma_of(10, knows_closed_time=False)
    gamma.close(1, "2025-01-01 00:00:00+00")
    gamma.close(2, "2025-01-02 00:00:00+00")
    loop = Loop(gamma)
    loop.run_for(300)

    assert ["schema_change"] == [kind for kind, _ in loop.told()]


def test_a_cursor_that_does_not_advance_is_no_answer_and_no_end():
    loop = Loop(gamma_of(350, knows_after_cursor=False))
    loop.run_for(60)

    assert 100 == len(loop.ids())
    assert loop.state["polymarket_cursor"].startswith("open:")


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{}", b'{"markets":null}', b'{"markets":[{"id":"1"}', b"<html>", b"null"]
)
def test_an_answer_that_is_no_page_is_asked_for_again(payload):
    with pytest.raises(BadAnswer):
        answered(payload)


def test_bytes_that_nobody_asked_for_are_kept_as_an_error():
    with pytest.raises(WireError):
        answered(b'{"markets":[]}', key="")


def test_one_bad_market_is_set_aside_whole_and_the_others_are_kept():
    gamma = gamma_of(20)
    gamma.add(market(7, outcomes="[not json"))
    loop = Loop(gamma, polymarket_poll_s=30)
    loop.run_for(2000)
    letters = [record for record in loop.records if isinstance(record, DeadLetter)]

    assert 19 == len(loop.ids())
    assert [("polymarket_ingester", "stream:markets")] == [(letter.program, letter.stream) for letter in letters]
    assert '"outcomes":"[not json"' in letters[0].payload


def test_without_the_keyset_endpoint_markets_are_read_by_offset():
    loop = Loop(gamma_of(350, has_keyset=False))
    loop.run_for(1)

    assert [str(number) for number in range(1, 351)] == loop.ids()
    assert ["schema_change"] == [kind for kind, _ in loop.told()]


def test_an_offset_that_is_too_large_is_a_refusal_and_not_the_end():
    loop = Loop(gamma_of(350, has_keyset=False, most_offset=250), polymarket_poll_s=30)
    loop.run_for(300)
    refusals = [detail for kind, detail in loop.told() if kind == "refused"]

    assert 300 == len(loop.ids())
    assert ["open markets beyond offset:300 cannot be read: 422"] == [detail[:50] for detail in refusals]


def test_closed_markets_that_cannot_be_reached_leave_their_walk_open():
    gamma = gamma_of(350, has_keyset=False, most_offset=150)
    for number in range(1, 340):
        gamma.close(number, "2026-03-01 00:00:00+00")
    loop = Loop(gamma, polymarket_poll_s=30)
    loop.run_for(300)
    gamma.has_keyset = True
    loop.run_for(100)

    assert {str(number) for number in range(1, 351)} == set(loop.ids())


def test_a_cursor_that_is_refused_begins_the_walk_again():
    gamma = gamma_of(350)
    loop = Loop(gamma, polymarket_poll_s=30)
    loop.turn()
    gamma.refuses_cursors = True
    loop.turn()
    loop.turn()
    gamma.refuses_cursors = False
    loop.run_for(31)

    assert 350 == len(loop.newest())
    assert ["refused"] == [kind for kind, _ in loop.told()]


def test_a_first_page_that_is_refused_stops_the_program():
    with pytest.raises(FeedRefused, match="422 no"):
        answered(b"no", status=422)
