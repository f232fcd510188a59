"""What the dashboard remembers of a day: evenly spaced, with holes where nothing was known, and no more than it may."""

from monitoring.past import COARSE_KEPT, COARSE_S, MOST_LINES, Past
from monitoring.tracks import Track


def test_a_mean_is_kept_of_a_rate_and_the_peak_of_a_lag():
    track = Track(10.0, 6, peaking=("lag_s",))
    for at_s, value in ((100.0, 1.0), (104.0, 5.0), (109.0, 3.0)):
        track.add(at_s, {"in|okx": value, "lag_s|writer on trades": value})

    assert [3.0] == track.read("in|okx", 1)
    assert [5.0] == track.read("lag_s|writer on trades", 1)


def test_a_step_without_a_look_is_a_hole_and_not_zero():
    track = Track(10.0, 6)
    track.add(100.0, {"in|okx": 1.0})
    track.add(130.0, {"in|okx": 4.0})

    assert [None, 1.0, None, None, 4.0] == track.read("in|okx", 5)
    assert [90.0, 100.0, 110.0, 120.0, 130.0] == track.starts_s(5)


def test_what_is_older_than_the_ring_is_gone_even_after_a_long_sleep():
    track = Track(10.0, 3)
    track.add(0.0, {"in|okx": 1.0, "in|binance": 9.0})
    track.add(100_000.0, {"in|okx": 2.0})

    assert [None, None, 2.0] == track.read("in|okx", 3)
    assert ["in|okx"] == track.names("in")


def test_a_day_is_remembered_by_the_minute():
    past = Past()
    for minute in range(COARSE_KEPT + 60):
        past.add(minute * COARSE_S, {"memory|redis": float(minute)})
    trends = past.trends("memory", "24h")

    assert (COARSE_S, COARSE_KEPT) == (trends.step_s, len(trends.times))
    assert (60.0, COARSE_KEPT + 59.0) == (trends.lines[0].values[0], trends.lines[0].values[-1])


def test_the_highest_lines_are_shown_and_the_others_counted():
    past = Past()
    past.add(0.0, {f"lag|writer on {number}": float(number) for number in range(MOST_LINES + 3)})
    trends = past.trends("lag", "15m")

    assert (f"writer on {MOST_LINES + 2}", 3) == (trends.lines[0].name, trends.hidden)
    assert ["writer on 0"] == [line.name for line in past.trends("lag", "15m", only="writer on 0").lines]
