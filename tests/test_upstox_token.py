"""The access token of Upstox: where it comes from, when it dies, and who is told."""

import base64
import json

import pytest
from pydantic import SecretStr

from common.errors import BadAnswer, FeedRefused, WireLost
from common.settings import Settings
from ingesters.registry import of_program
from ingesters.venues.upstox_token import death_ns, issued_token, next_death_ns
from tests.upstox_kit import HOUR, MINUTE, OPENING_NS, PLACE, S, Talk, named, reply, status_frame, tick_frame

SERVICE = "https://tokens.test/upstox"
DEATH_NS = 1_723_240_800 * S  # Saturday 2024-08-10, 03:30 in India
INVALID = {"status": "error", "errors": [{"error_code": "UDAPI100050", "message": "Invalid token used to access API"}]}


def renewing(**settings):
    return Talk(upstox_token_url=SERVICE, upstox_access_token=None, **settings)


def jwt(**claims):
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.sig"


def bearer(fetch):
    return dict(fetch.headers)["Authorization"]


def connected(talk):
    """Return a feed that has connected, to markets that are closed."""
    talk.connected().hear(status_frame(OPENING_NS, NSE_EQ="NORMAL_CLOSE"), tick_frame(OPENING_NS))
    return talk


def details(steps):
    return [event.detail for event in named("FeedEvent", steps)]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, "set UPSTOX_ACCESS_TOKEN or UPSTOX_TOKEN_URL"),
        ({"upstox_enabled": False, "upstox_token_url": SERVICE}, "UPSTOX_ENABLED=false"),
        ({"upstox_access_token": SecretStr("x")}, None),
        ({"upstox_token_url": SERVICE}, None),
    ],
)
def test_the_program_runs_when_there_is_a_token_or_a_place_to_get_one(settings, why):
    assert why == of_program("upstox_ingester").why_disabled(Settings(**settings))


@pytest.mark.parametrize(
    ("now_ns", "dies_ns"),
    [
        (OPENING_NS, DEATH_NS),
        (DEATH_NS - HOUR, DEATH_NS),  # issued at 02:30, dead an hour later
        (DEATH_NS - 1, DEATH_NS),
        (DEATH_NS, DEATH_NS + 24 * HOUR),
    ],
)
def test_a_token_dies_at_half_past_three_in_india(now_ns, dies_ns):
    assert dies_ns == next_death_ns(now_ns)


@pytest.mark.parametrize(
    ("token", "dies_ns"),
    [
        (jwt(exp=1_754_776_800), 1_754_776_800 * S),
        (jwt(sub="x"), DEATH_NS),
        ("a.b.c", DEATH_NS),
        ("plain", DEATH_NS),
    ],
)
def test_a_token_that_names_its_end_is_believed(token, dies_ns):
    assert dies_ns == death_ns(token, OPENING_NS)


@pytest.mark.parametrize("answer", [b'{"access_token":"abc.def"}', b'{"token":"abc.def"}', b"abc.def\n"])
def test_a_token_service_may_answer_with_json_or_with_the_bare_token(answer):
    assert "abc.def" == issued_token(answer)


@pytest.mark.parametrize("answer", [b"", b"{}", b"<html>sign in</html>", b'{"access_token":', b"two words"])
def test_an_answer_without_a_token_is_asked_again(answer):
    with pytest.raises(BadAnswer):
        issued_token(answer)


def test_the_token_is_fetched_before_each_dial_and_used_for_the_permission():
    talk = renewing()
    asked = talk.hear(reply("token", {"access_token": "fresh"}))[0]
    dialled = talk.hear(reply("authorize", PLACE))[0]

    assert SERVICE == talk.opened[0].url
    assert "Bearer fresh" == bearer(asked)
    assert "wss://feeds.test/feeds?code=abc" == dialled.url


def test_neither_the_token_nor_the_permission_may_be_recorded():
    talk = renewing()

    assert talk.opened[0].is_private
    assert talk.hear(reply("token", b"fresh"))[0].is_private


def test_a_dead_token_that_cannot_be_renewed_stops_the_program_and_names_the_remedy():
    with pytest.raises(FeedRefused) as caught:
        Talk().hear(reply("authorize", INVALID, status=401))

    assert "HTTP 401: UDAPI100050 Invalid token used to access API" in str(caught.value)
    assert "UPSTOX_ACCESS_TOKEN" in str(caught.value)


def test_a_dead_token_that_can_be_renewed_is_told_once_and_fetched_again():
    talk = renewing()
    talk.hear(reply("token", b"old"))
    first = talk.hear(reply("authorize", INVALID, status=401))
    talk.hear(reply("token", b"old"))
    second = talk.hear(reply("authorize", INVALID, status=401))

    assert ["FeedEvent", "Fetch"] == [type(step).__name__ for step in first]
    assert [("token", 30.0)] == [(step.key, step.after_s) for step in second]


def test_a_token_service_that_has_none_yet_is_asked_again():
    with pytest.raises(BadAnswer):
        renewing().hear(reply("token", b"", status=404))


def test_a_person_is_told_of_the_death_at_the_close_of_the_market():
    talk = connected(Talk())
    before = talk.look(DEATH_NS - 12 * HOUR - S)
    at_the_close = talk.look(DEATH_NS - 12 * HOUR + S)
    later = talk.look(DEATH_NS - HOUR)

    assert ([], []) == (details(before), details(later))
    assert ["the token dies at 2024-08-09T22:00 UTC: set a new UPSTOX_ACCESS_TOKEN and restart"] == details(
        at_the_close
    )


def test_a_token_that_will_be_renewed_is_told_of_minutes_before():
    talk = renewing()
    talk.hear(reply("token", b"fresh"))
    connected(talk)
    hours_before, minutes_before = talk.look(DEATH_NS - HOUR), talk.look(DEATH_NS - 4 * MINUTE)

    assert ([], 1) == (details(hours_before), len(details(minutes_before)))


def test_at_its_death_a_token_that_can_be_renewed_ends_the_connection():
    talk = renewing()
    talk.hear(reply("token", b"fresh"))
    connected(talk)

    with pytest.raises(WireLost):
        talk.look(DEATH_NS)


def test_at_its_death_a_token_that_cannot_be_renewed_is_put_to_the_test():
    talk = connected(Talk())
    asked = talk.look(DEATH_NS)

    assert ["still_valid"] == [fetch.key for fetch in named("Fetch", asked)]
    with pytest.raises(FeedRefused):
        talk.hear(reply("still_valid", INVALID, DEATH_NS, status=401))


def test_a_token_that_lives_longer_than_a_day_keeps_its_connection():
    talk = connected(Talk())
    talk.look(DEATH_NS)
    answered = talk.hear(reply("still_valid", PLACE, DEATH_NS))

    assert ["resync"] == [event.kind for event in answered]
    assert [] == named("Fetch", talk.look(DEATH_NS + HOUR))


def test_a_secret_is_in_no_error():
    with pytest.raises(FeedRefused) as caught:
        Talk().hear(reply("authorize", INVALID, status=401))

    assert "secret" not in str(caught.value)
