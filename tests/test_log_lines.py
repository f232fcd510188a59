"""The lines of all logs, as events in one order."""

import json
import subprocess
import sys

import pytest

from monitoring.cli.log_lines import events_of
from monitoring.cli.logs import Log
from tests.fleet_harness import ROOT

OURS = (
    '{"event": "sink.waiting", "level": "warning", "timestamp": "2026-11-29T13:05:01.5Z", "program": "x", "pause_s": 1}'
)


def read(*texts):
    return list(events_of(iter(texts), "okx_ingester"))


def test_a_line_of_ours_is_an_event_with_fields():
    (line,) = read(OURS)

    assert ("2026-11-29T13:05:01.5Z", "warning", "sink.waiting", {"pause_s": 1}) == (
        line.time,
        line.level,
        line.event,
        line.fields,
    )


@pytest.mark.parametrize(
    ("text", "level", "event"),
    [
        ("812:M 29 Nov 2026 13:05:01.123 # Out of memory", "warning", "Out of memory"),
        ("812:C 29 Nov 2026 13:05:01.123 * Ready", "info", "Ready"),
        ("2026-11-29 13:05:01,123 CRIT Supervisor is running as root", "critical", "Supervisor is running as root"),
        ("2026-11-29 13:05:01,123 INFO spawned: 'redis'", "info", "spawned: 'redis'"),
    ],
)
def test_the_words_of_redis_and_supervisor_are_events_too(text, level, event):
    (line,) = read(text)

    assert (level, event, "01.123") == (line.level, line.event, line.time[17:23])


def test_lines_that_begin_nothing_belong_to_the_event_before_them():
    traceback = ("Traceback (most recent call last):", '  File "x.py", line 1', "ValueError: no")
    first, second = read(OURS, *traceback, OURS)

    assert (traceback, ()) == (first.more, second.more)


def test_a_traceback_in_json_names_its_error():
    frames = [{"filename": "loop.py", "lineno": 7, "name": "run"}]
    text = json.dumps(
        {"event": "program.crashed", "level": "error", "timestamp": "t",
         "exception": [{"exc_type": "ValueError", "exc_value": "no", "frames": frames}]}
    )  # fmt: skip

    assert ("ValueError: no", "  loop.py:7 run") == read(text)[0].more


def test_what_is_rotated_away_is_read_on_under_its_name(tmp_path):
    file = tmp_path / "okx_ingester.log"
    file.write_text(f"{OURS}\n")
    log = Log(file)
    first = log.events()
    file.rename(tmp_path / "okx_ingester.log.1")
    nothing = log.events()
    file.write_text(f"{OURS}\n{OURS}\n")

    assert (1, 0, 2, 0) == (len(first), len(nothing), len(log.events()), len(log.events()))


def test_half_a_line_waits_for_its_end(tmp_path):
    file = tmp_path / "okx_ingester.log"
    file.write_text(f"{OURS}\n{OURS[:20]}")
    log = Log(file)
    first = log.events()
    with file.open("a") as more:
        more.write(f"{OURS[20:]}\n")

    assert (1, 1) == (len(first), len(log.events()))


def call(folder, *words):
    command = [sys.executable, "-m", "monitoring.cli", "logs", *words]
    environment = {"PYTHONPATH": str(ROOT), "LOG_DIR": str(folder), "NO_COLOR": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_all_logs_are_one_in_order_of_time(tmp_path):
    for name, second in (("binance_ingester", 2), ("okx_ingester", 1), ("book_processor_00", 3)):
        line = OURS.replace("13:05:01.5Z", f"13:05:0{second}.5Z")
        (tmp_path / f"{name}.log").write_text(f"{line}\n{line.replace('warning', 'info')}\n")

    grave = [json.loads(line)["program"] for line in call(tmp_path, "--level", "warning", "--json").stdout.splitlines()]
    scaled = call(tmp_path, "book_processor", "-n", "1").stdout
    wrong = call(tmp_path, "book")

    assert ["okx_ingester", "binance_ingester", "book_processor_00"] == grave
    assert ("book_processor_00", 1) == (scaled.split()[2], len(scaled.splitlines()))
    assert (2, True) == (wrong.returncode, "there are binance_ingester" in wrong.stderr)
