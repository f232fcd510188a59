"""The walks over Gamma's markets: all of them, through restarts, silent caps, dead endpoints and bad objects."""

from urllib.parse import parse_qs, urlsplit

import msgspec
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from ingesters.venues.polymarket_walks import News, read_objects
from tests.gamma_kit import Loop, gamma_of, market


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


def test_a_market_that_shows_up_closed_only_later_is_told():
    gamma = gamma_of(10)
    gamma.close(1, "2025-10-08 12:00:00+00")
    loop = Loop(gamma, polymarket_poll_s=30)
    loop.run_for(40)
    gamma.close(2, "2025-10-08 11:30:00+00")
    loop.run_for(31)

    assert True is loop.newest()["2"].closed


def test_closing_times_far_behind_our_clock_are_still_followed():
    gamma = gamma_of(10)
    gamma.close(1, "2020-10-08 12:00:00+00")
    loop = Loop(gamma, polymarket_poll_s=30)
    loop.run_for(40)
    gamma.close(2, "2020-10-09 12:00:00+00")
    loop.run_for(31)

    assert True is loop.newest()["2"].closed


def test_between_whole_walks_only_the_last_page_is_read_again():
    loop = Loop(gamma_of(350), polymarket_poll_s=30)
    loop.run_for(1)
    asked = len(loop.fetched)
    loop.run_for(30)
    again = [url for url in loop.fetched[asked:] if "closed=false" in url]

    assert ["300"] == [parse_qs(urlsplit(url).query)["after_cursor"][0] for url in again]


def test_memory_forgets_a_market_that_a_whole_walk_did_not_meet():
    news = News()
    told = read_objects([msgspec.json.encode(market(7))], 5)
    list(news.of(told))
    news.close_walk()
    news.close_walk()

    assert "7" not in news
