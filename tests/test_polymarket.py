"""The walks over Gamma's markets: all of them, through restarts, silent caps, dead endpoints and bad objects."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from common.errors import BadAnswer, FeedRefused, WireError
from common.records import DeadLetter
from common.settings import Settings
from ingesters.feed import Frame, Resume, hear
from ingesters.venues.polymarket import PolymarketFeed
from tests.gamma_kit import START_S, Gamma, Loop, market


def gamma_of(count: int, **told: object) -> Gamma:
    gamma = Gamma(**told)
    gamma.add(*(market(number) for number in range(1, count + 1)))
    return gamma


def token_searches(loop: Loop) -> list[list[str]]:
    queries = [parse_qs(urlsplit(url).query) for url in loop.fetched]
    return [
        query["clob_token_ids"] for query in queries if query.get("clob_token_ids") and query["closed"] == ["false"]
    ]


def wanting(*tokens: str, gamma: Gamma | None = None) -> Loop:
    loop = Loop(gamma or Gamma())
    loop.words = set(tokens)
    return loop


def answered(payload: bytes, status: int = 200, key: str = "open") -> list:
    feed = PolymarketFeed(Settings(), Resume())
    list(feed.opening())
    return hear(feed, Frame(START_S * 10**9, payload, reply_to=key, status=status))


def test_every_open_market_is_walked_once_page_by_page():
    loop = Loop(gamma_of(350))
    loop.run_for(1)

    assert [str(number) for number in range(1, 351)] == loop.ids()


def test_pages_that_are_cut_shorter_than_asked_are_not_the_end():
    loop = Loop(gamma_of(60, most=7))
    loop.run_for(1)

    assert 60 == len(loop.ids())


def test_open_markets_come_before_closed_ones():
    gamma = gamma_of(150)
    for number in range(1, 120):
        gamma.close(number, "2026-03-01 00:00:00+00")
    loop = Loop(gamma)
    loop.run_for(1)

    assert [*range(120, 151), *range(1, 120)] == [int(key) for key in loop.ids()]


def test_the_number_of_markets_seen_can_be_read_beside_the_place():
    gamma = gamma_of(150)
    gamma.close(7, "2026-03-01 00:00:00+00")
    loop = Loop(gamma)
    loop.run_for(1)

    assert "150" == loop.state["polymarket_offset"]
    assert loop.state["polymarket_cursor"].startswith("recent:150:")


def test_a_restart_goes_on_in_the_middle_of_a_walk():
    loop = Loop(gamma_of(350))
    for _ in range(4):  # two pages, the words, and a page
        loop.turn()
    loop.start()
    loop.run_for(1)

    assert [str(number) for number in range(1, 351)] == loop.ids()
    assert "350" == loop.state["polymarket_offset"]


@effort(max_examples=60, deadline=None)
@given(
    st.integers(0, 60), st.sets(st.integers(1, 60)), st.lists(st.sampled_from(["", "", "kill", "spoil"]), max_size=60)
)
def test_no_market_is_lost_whatever_is_killed_or_spoilt(count, closed, faults):
    gamma = gamma_of(count, most=9)
    for number in closed & set(range(1, count + 1)):
        gamma.close(number, "2026-03-01 00:00:00+00")
    loop = Loop(gamma)
    for fault in faults:
        loop.turn(spoil=b"<html>" if fault == "spoil" else None, is_killed=fault == "kill")
    loop.run_for(200)

    assert {str(number) for number in range(1, count + 1)} == set(loop.ids())
    assert str(count) == loop.state["polymarket_offset"]


def test_a_market_created_later_is_seen_at_the_next_poll():
    loop = Loop(gamma_of(350), polymarket_poll_s=30)
    loop.run_for(1)
    loop.gamma.add(market(351))
    loop.run_for(31)

    assert "351" == loop.ids()[-1]
    assert "351" == loop.state["polymarket_offset"]


def test_a_market_that_did_not_change_is_not_told_again():
    loop = Loop(gamma_of(350), polymarket_poll_s=30)
    loop.run_for(1)
    loop.gamma.markets["9"] |= {"updatedAt": "2026-04-01T00:00:00Z", "spread": 0.5}
    loop.run_for(2000)

    assert 350 == len(loop.ids())


def test_a_market_that_changed_is_told_again_by_the_next_whole_walk():
    loop = Loop(gamma_of(350), polymarket_poll_s=30)
    loop.run_for(1)
    loop.gamma.markets["9"] |= {"volume": "13"}
    loop.run_for(30 * 22)

    assert ["12.5", "13"] == [told.volume for told in loop.markets() if told.market_id == "9"]


def test_a_market_that_closes_is_told_at_the_next_poll():
    loop = Loop(gamma_of(150), polymarket_poll_s=30)
    loop.run_for(40)
    loop.gamma.close(9, "2025-10-09 09:00:00+00")
    loop.run_for(31)

    assert [False, True] == [told.closed for told in loop.markets() if told.market_id == "9"]


def test_a_market_that_closes_while_nobody_listens_is_told_after_the_restart():
    loop = Loop(gamma_of(150), polymarket_poll_s=30)
    loop.run_for(40)
    loop.gamma.close(9, "2025-10-09 09:00:00+00")
    loop.start()
    loop.run_for(1)

    assert True is loop.newest()["9"].closed


def test_what_closed_lately_is_told_once():
    loop = Loop(gamma_of(150), polymarket_poll_s=30)
    loop.run_for(40)
    loop.gamma.close(9, "2025-10-09 09:00:00+00")
    loop.run_for(3000)

    assert 151 == len(loop.ids())


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


def test_a_wanted_token_is_looked_for_among_open_and_closed_markets():
    gamma = gamma_of(2)
    gamma.close(2, "2026-03-01 00:00:00+00")
    loop = wanting("11", "22", gamma=gamma)
    loop.run_for(0.5)

    assert {"1", "2"} <= set(loop.ids())
    assert [["11", "22"]] == token_searches(loop)


def test_tokens_are_asked_for_in_batches_of_fifty():
    loop = wanting(*(str(number) for number in range(1000, 1120)))
    loop.run_for(1)

    assert [50, 50, 20] == [len(tokens) for tokens in token_searches(loop)]


def test_many_tokens_are_asked_for_a_few_batches_at_a_time():
    loop = wanting(*(str(number) for number in range(1000, 1999)))
    loop.run_for(1)
    first = len(token_searches(loop))
    loop.run_for(10)

    assert 5 == first
    assert sorted(loop.words) == sorted(token for tokens in token_searches(loop) for token in tokens)


@pytest.mark.parametrize(("seconds", "times"), [(59, 1), (61, 2), (179, 2), (183, 3), (2 * 3600, 7)])
def test_a_token_that_gamma_does_not_know_is_asked_for_ever_more_rarely(seconds, times):
    loop = wanting("404")
    loop.run_for(seconds)

    assert times == len(token_searches(loop))


def test_a_token_that_is_wanted_again_is_asked_for_at_once():
    loop = wanting("404")
    loop.run_for(3)
    loop.words.clear()
    loop.run_for(3)
    loop.words.add("404")
    loop.run_for(3)

    assert 2 == len(token_searches(loop))


def test_a_word_that_is_no_token_is_not_asked_for():
    loop = wanting("1&closed=true", "")
    loop.run_for(1)

    assert [] == token_searches(loop)


def test_tokens_are_found_by_the_older_endpoint_when_the_newer_is_gone():
    loop = wanting("11", gamma=gamma_of(1, has_keyset=False))
    loop.run_for(70)

    assert ["1", "1"] == loop.ids()
