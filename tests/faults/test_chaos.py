"""Random faults on a private fleet for a moment: clean as it is, and not clean with a part of the protocol away."""

import json
import shutil
import subprocess

import pytest

from tests.fleet_harness import PYTHON, ROOT

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(900)]

KINDS = ("lost", "doubled", "disordered", "unproven")


def chaos(*words):
    """Return the exit code of a short run, and what was found."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    command = [PYTHON, "-m", "benchmarks.chaos", "--seed", "3", "--json", *words]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=800, check=False)
    assert run.stdout, run.stderr[-2000:]
    return run.returncode, json.loads(run.stdout)


def test_faults_at_random_lose_double_and_disorder_nothing():
    code, found = chaos("--few", "--minutes", "0.5")

    assert {kind: [] for kind in KINDS} == {kind: found[kind] for kind in KINDS}
    assert 0 == code
    assert found["faults"] > 2
    assert found["rows"]["trades"] > 1000


@pytest.mark.parametrize(
    ("part", "fault", "kind"),
    [
        ("manifest", "kill_unanswered", "doubled"),
        ("fence", "freeze_owner", "doubled"),
        ("spool", "kill_unheard", "lost"),
    ],
)
def test_without_a_part_the_fault_that_it_is_there_for_is_noticed(part, fault, kind):
    code, found = chaos("--few", "--minutes", "0.02", "--without", part, "--only", fault)

    assert 1 == code
    assert found[kind]
