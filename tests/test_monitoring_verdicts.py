"""When a reading is worth a person's attention: the verdicts, the history behind the rates, and the words."""

import pytest

from monitoring.filters import age, count, rate, size, spark
from monitoring.history import History, Sample
from monitoring.store_readings import plain
from monitoring.verdicts import (
    Level,
    Pulse,
    age_words,
    full_in_s,
    of_group,
    of_memory,
    of_process,
    of_schema,
    of_server,
    redis_full_in_s,
    worst,
)

RUNNING = Pulse(beat_age_s=0.5, state="running")


def test_a_process_that_beats_and_runs_is_well():
    assert of_process("okx_ingester", RUNNING).level is Level.WELL


def test_a_process_without_a_heartbeat_is_down_and_the_remedy_names_it():
    verdict = of_process("okx_ingester", Pulse(beat_age_s=None))

    assert (Level.DOWN, "no heartbeat") == (verdict.level, verdict.words)
    assert "supervisorctl tail okx_ingester" in verdict.remedy


@pytest.mark.parametrize(("beat_age_s", "level"), [(3.9, Level.WELL), (4.1, Level.SLOW), (15.1, Level.DOWN)])
def test_a_heartbeat_ages_from_well_to_slow_to_down(beat_age_s, level):
    assert level is of_process("okx_ingester", Pulse(beat_age_s=beat_age_s, state="running")).level


def test_a_process_that_waits_says_for_what():
    waiting = Pulse(beat_age_s=0.1, state="waiting", detail="stream.binance.com: no such name")

    assert (Level.SLOW, "stream.binance.com: no such name") == _level_and_words(of_process("binance_ingester", waiting))


def test_a_process_that_starts_is_not_called_ill():
    assert of_process("okx_ingester", Pulse(beat_age_s=0.1, state="starting")).level is Level.UNKNOWN


def test_a_venue_that_says_nothing_for_long_makes_its_ingester_slow():
    silent = Pulse(beat_age_s=0.1, state="running", silence_s=125)

    assert (Level.SLOW, "no word from the venue for 2 m 05 s") == _level_and_words(of_process("okx_ingester", silent))


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ("okx: public: nothing but pings for 120 s", "no word from the venue for 2 m 05 s"),
        ("okx: HTTP 503", "okx: HTTP 503"),
    ],
)
def test_a_venue_that_is_dialled_again_for_its_silence_stays_silent_until_it_is_heard(detail, words):
    dialling = Pulse(beat_age_s=0.1, state="waiting", detail=detail, silence_s=125, mute_s=120)

    assert words == of_process("okx_ingester", dialling).words


def test_an_old_error_is_no_longer_mentioned():
    fresh, old = (Pulse(beat_age_s=0.1, state="running", error_age_s=error_age_s) for error_age_s in (12, 301))

    assert "running; an error 12 s ago" == of_process("okx_ingester", fresh).words
    assert "running" == of_process("okx_ingester", old).words


def test_a_group_that_keeps_up_is_well():
    assert Level.WELL is _group(lag_s=0.4).level


def test_a_group_is_slow_and_then_down_as_its_oldest_entry_ages():
    assert (Level.SLOW, Level.DOWN) == (_group(lag_s=6).level, _group(lag_s=61).level)


def test_records_that_wait_while_nobody_reads_are_down_with_the_command_to_start_the_reader():
    verdict = _group(lag_s=9, owner="")

    assert (Level.DOWN, "nobody reads") == _level_and_words(verdict)
    assert "supervisorctl start clickhouse_writer" == verdict.remedy


def test_an_owner_whose_beat_stands_still_is_down_when_records_wait():
    verdict = _group(lag_s=12, silent_s=11)

    assert (Level.DOWN, "clickhouse_writer stands still for 11 s") == _level_and_words(verdict)


def test_an_idle_group_without_an_owner_is_not_an_alarm():
    assert Level.WELL is _group(lag_s=0.0, owner="").level


def test_a_lag_that_is_not_known_is_not_called_zero():
    assert Level.UNKNOWN is _group(lag_s=None).level


def test_a_server_that_does_not_answer_is_down_and_says_how_old_its_figures_are():
    verdict = of_server("redis", problem="connection refused.", read_age_s=72, embedded=True)

    assert (Level.DOWN, "does not answer: connection refused; figures are 1 m 12 s old") == _level_and_words(verdict)
    assert "supervisorctl restart redis" in verdict.remedy


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (
            "code: 81: Code: 81. DB::Exception: Database x does not exist. (X) (version 26.9)",
            "Database x does not exist. (X)",
        ),
        ("something else", "something else"),
    ],
)
def test_a_drivers_long_story_is_told_in_short(reason, words):
    assert words == plain(reason)


def test_the_remedy_for_a_server_of_ones_own_is_its_address():
    verdict = of_server("clickhouse", problem="refused", read_age_s=None, embedded=False)

    assert "CLICKHOUSE_HOST" in verdict.remedy


def test_a_nearly_full_redis_is_slow_before_it_refuses():
    assert (Level.WELL, Level.SLOW) == (
        of_memory(used_bytes=79, max_bytes=100).level,
        of_memory(used_bytes=80, max_bytes=100).level,
    )


def test_memory_that_grows_evenly_is_full_when_it_gets_there():
    assert 100.0 == full_in_s([*range(0, 900, 50)], step_s=10, limit=1350)


@pytest.mark.parametrize("levels", [[500.0] * 30, [*range(900, 0, -50)], [1, 2, 3], [None] * 30, []])
def test_memory_that_does_not_grow_or_is_hardly_known_has_no_forecast(levels):
    assert full_in_s(levels, step_s=10, limit=1000) is None


def test_streams_that_only_fill_up_to_their_retention_are_no_reason_to_foresee_a_full_redis():
    still_filling, grows, full_grown = [*range(0, 3000, 50)], [*range(0, 4500, 50)], [*range(0, 3000, 50), *[3000] * 30]

    assert [None, 110.0, None] == [
        redis_full_in_s(levels, step_s=10, limit=5000) for levels in (still_filling, grows, full_grown)
    ]


@pytest.mark.parametrize(
    ("found", "level", "remedy"),
    [
        (2, Level.WELL, ""),
        (1, Level.DOWN, "setup_schema"),
        (3, Level.DOWN, "update"),
        (None, Level.DOWN, "setup_schema"),
    ],
)
def test_a_schema_is_well_only_at_the_version_of_this_code(found, level, remedy):
    verdict = of_schema(expected=2, found=found)

    assert level is verdict.level
    assert remedy in verdict.remedy


def test_the_worst_of_nothing_is_well_and_off_is_never_worse_than_well():
    assert (Level.WELL, Level.WELL) == (worst([]), worst([Level.OFF, Level.WELL]))


def test_a_rate_is_the_growth_of_the_last_ten_seconds():
    history = _history({at_s: {"a": at_s * 5} for at_s in range(30)} | {30: {"a": 29 * 5 + 105}})

    assert 15.0 == pytest.approx(history.rate_per_s("a"))


def test_a_counter_seen_once_has_no_rate_yet():
    assert _history({0: {"a": 7}}).rate_per_s("a") is None


def test_a_counter_that_started_again_has_no_rate_rather_than_a_negative_one():
    assert _history({0: {"a": 1000}, 5: {"a": 3}}).rate_per_s("a") is None


def test_a_counter_that_stopped_coming_has_no_rate_rather_than_zero():
    assert "a" not in _history({0: {"a": 1}, 1: {"a": 2}, 2: {}}).rates()


def test_a_trend_has_a_hole_where_nothing_was_known():
    history = _history({0: {"a": 0}, 10: {"a": 50}, 20: {}, 30: {"a": 70}, 40: {"a": 90}})

    assert (5.0, None, None, 2.0) == history.trends()["a"]


def test_a_trend_keeps_fifteen_minutes():
    history = _history({at_s: {"a": at_s} for at_s in range(0, 2000, 10)})

    assert 90 == len(history.trends()["a"])


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.4, "12 s"), (62, "1 m 02 s"), (11_400, "3 h 10 m"), (187_200, "2 d 4 h")],
)
def test_an_age_is_told_as_people_tell_it(seconds, words):
    assert words == age_words(seconds)


def test_figures_are_grouped_and_carry_units():
    assert ["1 204 331", "2.4 k", "999", "1.0 M", "0", "0.34", "38.1 MiB", "4 m 02 s"] == [
        text.replace("\u202f", " ")
        for text in (
            count(1_204_331),
            rate(2412),
            rate(999.4),
            rate(999_990),
            rate(0),
            rate(0.34),
            size(39_950_000),
            age(242),
        )
    ]


def test_a_line_of_one_point_is_no_line_and_a_hole_lifts_the_pen():
    assert "" == spark((None, 3.0))
    assert 2 == spark((1.0, 2.0, None, 1.0, 2.0)).count("M")


def _group(*, lag_s, owner="clickhouse_writer", silent_s=0.0):
    return of_group("clickhouse_writer", lag_s=lag_s, owner=owner, silent_s=silent_s)


def _level_and_words(verdict):
    return verdict.level, verdict.words


def _history(counters_at):
    history = History()
    for at_s, counters in counters_at.items():
        history.add(Sample(at_s, counters, {}))
    return history
