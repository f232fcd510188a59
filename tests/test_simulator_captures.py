"""Recordings that cannot be replayed are refused by name, before anything listens."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.capture import CaptureRefused, read_capture
from simulator.sessions import read_sessions
from simulator.timeline import Timeline
from tests.simulator_kit import capture, trade


def refusal(*paths):
    with pytest.raises(CaptureRefused) as caught:
        read_sessions(paths, 1.0)
    return str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "missing.jsonl.gz"

    assert refusal(path) == f"{path}, line 0: No such file or directory"


def test_another_format_is_refused(tmp_path):
    path = capture(tmp_path / "a.gz", "binance", [trade("AAA", 1)], format="capture/2")

    assert refusal(path) == f"{path}, line 1: expected format capture/1, found 'capture/2'"


def test_a_file_that_is_no_recording_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")

    assert f"{path}, line 1: expected a capture/1 header, found b'hello\\n'" in refusal(path)


def test_a_cut_off_file_is_refused_with_the_line_reached(tmp_path):
    path = capture(tmp_path / "a.gz", "binance", [trade("AAA", n) for n in range(500)])
    path.write_bytes(path.read_bytes()[:-40])

    assert "the file is cut off or damaged" in refusal(path)


def test_a_wrong_count_of_frames_is_refused(tmp_path):
    path = capture(tmp_path / "a.gz", "binance", [trade("AAA", 1)], frames=2)

    assert refusal(path) == f"{path}, line 2: expected 2 frames as the header says, found 1"


def test_a_damaged_line_is_refused_with_its_number(tmp_path):
    path = capture(tmp_path / "a.gz", "binance", [trade("AAA", 1), trade("AAA", 2)])
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(lines[0] + lines[1] + lines[2][:40] + b"\n"))

    assert f"{path}, line 3: expected a recorded event" in refusal(path)


@pytest.mark.parametrize("cut_bytes", [0, 1, 20, 90])
def test_of_a_recorder_that_was_killed_in_a_line_all_before_it_is_read(tmp_path, cut_bytes):
    path = capture(tmp_path / "a.gz", "binance", [trade("AAA", 1), trade("AAA", 2)], frames=None)
    text = gzip.decompress(path.read_bytes())
    path.write_bytes(text[: len(text) - cut_bytes])

    assert (2 if cut_bytes <= 1 else 1) == len(read_capture(path).events)


def test_a_venue_that_is_not_simulated_is_refused(tmp_path):
    path = capture(tmp_path / "a.gz", "nowhere", [trade("AAA", 1)])

    assert refusal(path) == f"{path}, line 2: venue nowhere at wss://x/stream is not simulated yet"


def test_a_refused_file_among_good_ones_ends_the_program_with_code_2(tmp_path):
    good = capture(tmp_path / "good.gz", "binance", [trade("AAA", 1)])
    bad = capture(tmp_path / "bad.gz", "binance", [trade("AAA", 1)], frames=7)
    addresses = tmp_path / "addresses.json"
    command = [sys.executable, "-m", "simulator", "--replay", str(good), str(bad), "--addresses", str(addresses)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, cwd=root)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"simulator: {bad}, line 2: expected 7 frames as the header says, found 1\n"
    assert not addresses.exists()


def test_bytes_are_kept_as_they_were_on_the_wire(tmp_path):
    events = [{"payload": '{ "a":1.0 }'}, {"payload_base64": "AAEC/w=="}]
    read = read_capture(capture(tmp_path / "a.gz", "binance", events))

    assert [event.body() for event in read.events] == [b'{ "a":1.0 }', b"\x00\x01\x02\xff"]


def test_recordings_years_apart_follow_each_other_after_a_second():
    second_ns = 10**9
    timeline = Timeline([(1000 * second_ns, 1005 * second_ns), (90_000 * second_ns, 90_010 * second_ns)])

    assert timeline.session_ns(1005 * second_ns) == 5 * second_ns
    assert timeline.session_ns(90_000 * second_ns) == 6 * second_ns
    assert timeline.recorded_ns(7 * second_ns) == 90_001 * second_ns


def test_recordings_made_at_the_same_time_run_side_by_side():
    timeline = Timeline([(100, 200), (150, 300)])

    assert [timeline.session_ns(at) for at in (100, 150, 300)] == [0, 50, 200]


def said(path, numbers, *, late_ms=0, connection="ws1"):
    """Write a recording of a message a second, the number of each its second; return its path."""
    events = [
        trade("BTCUSDT", number, received_ns=10**18 + number * 10**9 + late_ms * 10**6, connection=connection)
        for number in numbers
    ]
    return capture(path, "binance", events, {connection: {"kind": "ws", "url": "wss://x/stream"}})


def numbers_of(*paths):
    recorded = read_sessions(paths, 1.0)["binance"].events
    return [json.loads(one.event.payload)["data"]["t"] for one in recorded]


@pytest.mark.parametrize("late_ms", [0, 700, -700])
def test_what_two_recordings_of_one_time_hold_is_told_once(tmp_path, late_ms):
    first, second = said(tmp_path / "a.gz", range(6)), said(tmp_path / "b.gz", range(3, 9), late_ms=late_ms)

    assert list(range(9)) == numbers_of(first, second) == numbers_of(second, first)


def test_what_the_venue_said_twice_is_told_twice(tmp_path):
    first, second = said(tmp_path / "a.gz", [1, 1, 2]), said(tmp_path / "b.gz", [1, 2, 2])

    assert [1, 1, 2, 2] == numbers_of(first, second)


def test_the_same_at_another_time_is_no_repeat(tmp_path):
    first, second = said(tmp_path / "a.gz", [1]), said(tmp_path / "b.gz", [1], late_ms=6000)

    assert [1, 1] == numbers_of(first, second)


def test_connections_of_other_names_stand_side_by_side(tmp_path):
    first, second = said(tmp_path / "a.gz", [1]), said(tmp_path / "b.gz", [1], connection="ws2")

    assert [1, 1] == numbers_of(first, second)
