"""How whole a record is: what the events of a venue add up to."""

from monitoring.wholeness import Told, wholeness

S = 10**9


def told(kind, start_s, stop_s, received_s=None, symbol="BTCUSDT", channel="depth"):
    return Told("binance", symbol, channel, kind, start_s * S, stop_s * S, (received_s or stop_s) * S)


def in_sync_pct(*events, symbols=1):
    return round(wholeness(events, (0, 100 * S), symbols).in_sync_pct, 6)


def test_without_an_event_nothing_is_missing():
    assert 100.0 == in_sync_pct()


def test_a_gap_lasts_until_the_resync_was_told():
    assert 90.0 == in_sync_pct(told("gap", 10, 12), told("resync", 10, 19, received_s=20))


def test_a_gap_that_was_never_closed_lasts_as_long_as_it_says():
    assert 95.0 == in_sync_pct(told("gap", 10, 15))


def test_a_gap_without_an_end_lasts_until_now():
    assert 40.0 == in_sync_pct(told("gap", 40, 40))


def test_what_two_channels_miss_at_once_counts_once():
    other = told("gap", 12, 14, channel="trade"), told("backfilled", 12, 14, received_s=16, channel="trade")

    assert 90.0 == in_sync_pct(told("gap", 10, 12), *other, told("resync", 10, 20))


def test_a_lost_connection_concerns_every_symbol():
    gone = told("disconnected", 10, 11, symbol="", channel="connection")
    back = told("connected", 30, 30, symbol="", channel="connection")

    assert 80.0 == in_sync_pct(gone, back, symbols=4)


def test_an_ingester_that_was_killed_is_back_with_its_connection():
    killed = told("disconnected", 10, 14, symbol="", channel="redis")
    back = told("connected", 15, 15, symbol="", channel="connection")

    assert 95.0 == in_sync_pct(killed, back)


def test_a_gap_of_one_symbol_is_a_part_of_the_whole():
    assert 97.5 == in_sync_pct(told("gap", 10, 20), symbols=4)


def test_a_second_gap_before_the_resync_makes_one_stretch():
    assert 80.0 == in_sync_pct(told("gap", 10, 11), told("gap", 15, 16), told("resync", 10, 30))


def test_a_gap_that_was_given_up_is_not_closed_by_the_end_of_a_later_one():
    later = told("gap", 80, 82), told("backfilled", 80, 82, received_s=85)

    assert 90.0 == in_sync_pct(told("gap", 10, 15), *later)


def test_what_was_before_the_window_does_not_count():
    events = told("gap", 10, 11), told("resync", 10, 60)

    assert 80.0 == round(wholeness(events, (50 * S, 100 * S), 1).in_sync_pct, 6)


def test_the_length_of_a_resync_is_told_in_quantiles():
    events = [told("resync", 0, length) for length in range(1, 101)]
    found = wholeness(events, (0, 100 * S), 1)

    assert (100, 51_000.0, 96_000.0) == (found.resyncs, found.resync_p50_ms, found.resync_p95_ms)
