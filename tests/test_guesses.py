"""Wrong passwords slow down their own address, by ever longer pauses that end soon, and nobody else."""

import http.client
import json
from base64 import b64encode

import pytest
from structlog.testing import capture_logs

from monitoring.guesses import FIRST_S, FORGOTTEN_S, FREE, LONGEST_S, MOST_ADDRESSES, Guesses
from tests.fleet_harness import free_port
from tests.monitoring_fixtures import dashboard

THEIRS, OURS = "192.0.2.7", "192.0.2.8"
PASSWORD = "correct horse"


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now_s = 1_000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def guesses(clock):
    return Guesses(clock)


def guess(guesses, count, address=THEIRS):
    """Give so many wrong passwords, each as soon as it is judged; return the pauses behind them, in s."""
    pauses = []
    for number in range(count):
        guesses._clock_s.now_s += guesses.wait_s(address)
        guesses.was_wrong(address, f"{address} {guesses._clock_s.now_s} {number}")
        pauses.append(guesses.wait_s(address))
    return pauses


def test_a_person_who_mistypes_waits_for_nothing(guesses):
    assert [0.0] * FREE == guess(guesses, FREE)


def test_each_further_guess_is_followed_by_a_pause_twice_as_long_up_to_half_a_minute(guesses):
    assert [1, 2, 4, 8, 16, 30, 30, 30] == guess(guesses, FREE + 8)[FREE:]


def test_a_thousand_guesses_from_one_address_take_hours(guesses, clock):
    began_s = clock.now_s
    guess(guesses, 1_000)

    assert clock.now_s - began_s > 8 * 3_600


def test_the_owner_is_let_in_when_the_pause_is_over_however_many_were_wrong(guesses, clock):
    guess(guesses, 1_000)
    clock.now_s += LONGEST_S

    assert 0.0 == guesses.wait_s(THEIRS)


def test_the_pause_of_one_address_is_no_pause_of_another(guesses):
    guess(guesses, FREE + 5)

    assert (True, 0.0) == (guesses.wait_s(THEIRS) > 0, guesses.wait_s(OURS))


def test_the_same_wrong_password_again_is_no_new_guess(guesses):
    for _ in range(1_000):
        guesses.was_wrong(THEIRS, "what an old tab still sends")

    assert 0.0 == guesses.wait_s(THEIRS)


def test_what_was_wrong_long_ago_counts_no_more(guesses, clock):
    guess(guesses, FREE + 5)
    clock.now_s += LONGEST_S + FORGOTTEN_S + 1

    assert [0.0] * FREE == guess(guesses, FREE)


def test_no_more_addresses_are_remembered_than_there_is_room_for(guesses):
    for number in range(MOST_ADDRESSES * 3):
        guesses.was_wrong(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}", "x")

    assert len(guesses._seen) == MOST_ADDRESSES


@pytest.mark.parametrize("same", [("2001:db8::1", "2001:db8::ffff:2"), ("::ffff:192.0.2.7", "192.0.2.7")])
def test_addresses_that_are_one_persons_share_their_pause(guesses, same):
    guess(guesses, FREE + 1, same[0])

    assert FIRST_S == guesses.wait_s(same[1])


def test_it_is_told_once(guesses):
    with capture_logs() as told:
        guess(guesses, FREE + 20)

    assert [("access.slowed", THEIRS)] == [(line["event"], line["address"]) for line in told]


def ask(port, password, source="127.0.0.1"):
    """Return the status of a page and when to come again, asked from an address of the loopback."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(source, 0))
    headers = {} if password is None else {"authorization": f"Basic {b64encode(f'ann:{password}'.encode()).decode()}"}
    connection.request("GET", "/about", headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.headers["retry-after"]
    connection.close()
    return found


def test_guesses_at_the_dashboard_are_put_off_unread_while_others_come_in(tmp_path):
    port = free_port()
    with dashboard(tmp_path, free_port(), DASHBOARD_PASSWORD=PASSWORD, DASHBOARD_PORT=str(port)):
        wrong = [ask(port, f"wrong {number}")[0] for number in range(20)]
        right, without, other = ask(port, PASSWORD), ask(port, None), ask(port, PASSWORD, "127.0.0.2")
    told = [line for line in (tmp_path / "dashboard.log").read_text().splitlines() if "access.slowed" in line]

    assert [401] * (FREE + 1) == wrong[: FREE + 1]
    assert 429 in wrong
    assert (429, True) == (right[0], int(right[1]) <= LONGEST_S)
    assert ((401, None), (200, None)) == (without, other)
    assert ["127.0.0.1"] == [json.loads(line)["address"] for line in told]
