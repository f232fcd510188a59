"""A disk without room under the logs alone: the programs go on as if nothing were."""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from launch.configuration import configuration
from launch.place import Place
from launch.programs import Program
from tests.fleet_harness import ROOT, wait_for

pytestmark = pytest.mark.timeout(60)

LINES = 20_000  # 4 MB: far more than a pipe holds, so a program whose words nobody takes would stand still
FULL = Path("/dev/full")
TALK = f"""
import time
for _ in range({LINES}):
    print("x" * 200, flush=True)
open("said", "w").close()
time.sleep(600)
"""


@contextlib.contextmanager
def supervised(tmp_path, logs):
    """Supervisor as the fleet has it, with one program that has much to say."""
    place = Place(tmp_path)
    place.run.mkdir()
    (tmp_path / "talk.py").write_text(TALK)
    program = Program("talker", "processor", ("talk.py",), 1)
    place.programs.write_text(configuration(place, [program], {}, logs))
    (tmp_path / "supervisord.conf").write_text((ROOT / "supervisord.conf").read_text())
    command = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(tmp_path / "supervisord.conf")]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)


@pytest.mark.parametrize("is_full", [False, True])
def test_a_program_whose_log_has_no_room_goes_on(tmp_path, is_full):
    logs = tmp_path / "logs"
    logs.mkdir()
    if is_full and not FULL.exists():
        pytest.skip("/dev/full is missing")
    if is_full:
        for name in ("talker.log", "supervisord.log"):
            (logs / name).symlink_to(FULL)
    with supervised(tmp_path, logs) as supervisor:
        wait_for((tmp_path / "said").exists, give_up_s=40, what="everything said")

        assert supervisor.poll() is None
        if not is_full:
            kept = logs / "talker.log"
            wait_for(lambda: kept.stat().st_size, expected=LINES * 201, what="the log")
