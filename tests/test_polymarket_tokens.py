"""Tokens that somebody wants: asked for in batches, found wherever they are, and not asked for too often."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.gamma_kit import Gamma, Loop, gamma_of


def token_searches(loop: Loop) -> list[list[str]]:
    queries = [parse_qs(urlsplit(url).query) for url in loop.fetched]
    return [
        query["clob_token_ids"] for query in queries if query.get("clob_token_ids") and query["closed"] == ["false"]
    ]


def wanting(*tokens: str, gamma: Gamma | None = None) -> Loop:
    loop = Loop(gamma or Gamma())
    loop.words = set(tokens)
    return loop


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
