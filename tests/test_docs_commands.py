"""What README and docs tell people to type does what they say."""

import json
import re
import shlex
import shutil
import subprocess

import pytest

from monitoring.alert_rules import RULES
from monitoring.cli.app import COMMANDS, FAMILIES
from tests.fleet_harness import PYTHON, ROOT, Fleet
from tests.hostile_kit import open_dashboard

LONG = ("bench", "chaos", "backfill")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "venues").glob("*.md"))]
# Run by tests of their own, or too long for this one.
ELSEWHERE = ("./start.sh", "./stop.sh", "./test.sh", "supervisorctl", *(f"./fleet {word}" for word in LONG))
ENDLESS = ("XREAD BLOCK 0", " -f")
WELL = (0, 3)  # 3: it works, and says that this small fleet is not whole


def typed():
    """The lines behind `$` of every page, without their comments."""
    for page in PAGES:
        for line in re.findall(r"^\$ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            command = re.split(r"\s+#\s", line)[0].strip()
            if not command.startswith(ELSEWHERE) and not any(word in command for word in ENDLESS):
                yield pytest.param(command, id=f"{page.stem}: {command[:60]}")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    if shutil.which("redis-server") is None or shutil.which("redis-cli") is None:
        pytest.skip("redis-server or redis-cli is not installed")
    with Fleet(tmp_path_factory.mktemp("docs")) as made:
        (made.folder / "logs").mkdir()
        (made.folder / "logs" / "okx_ingester.log").write_text('{"event": "x", "level": "info", "timestamp": "t"}\n')
        made.environment |= {"LOG_DIR": str(made.folder / "logs"), "OKX_SYMBOLS": "BTC-USDT"}
        made.url = open_dashboard(made)
        okx = {"program": "okx_ingester", "kind": "ingester", "venue": "okx", "enabled": True, "why": ""}
        made.redis.set("fleet:programs", json.dumps([okx]))
        yield made


def here(command, fleet):
    """The words of a command, with the addresses of this fleet."""
    words = shlex.split(command)
    words = [word.replace("127.0.0.1:8123", f"127.0.0.1:{fleet.clickhouse_port}") for word in words]
    words = [word.replace("http://127.0.0.1:8000", fleet.url) for word in words]
    if words[0] == "redis-cli":
        return [words[0], "-p", str(fleet.redis_port), *words[1:]]
    return [PYTHON, "-m", "monitoring.cli", *words[1:]] if words[0] == "./fleet" else words


@pytest.mark.redis
@pytest.mark.clickhouse
@pytest.mark.parametrize("command", list(typed()))
def test_a_command_of_the_docs_works(fleet, command):
    environment = {**fleet.environment, "PYTHONPATH": str(ROOT)}
    command = here(command, fleet)
    done = subprocess.run(command, cwd=fleet.folder, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode in WELL, done.stdout + done.stderr
    assert "DB::Exception" not in done.stdout


def test_every_command_of_the_command_line_that_docs_name_exists():
    named = {name for page in PAGES for name in re.findall(r"\./fleet ([a-z]+)", page.read_text(encoding="utf-8"))}
    known = {name for name, _, _ in COMMANDS} | {family.name for family in FAMILIES}

    assert set() == named - known


def test_the_runbook_knows_what_to_do_for_every_alarm():
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")

    assert [] == [rule.name for rule in RULES if f"`{rule.name}`" not in runbook]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [] == [link for link in links if not (page.parent / link).exists()]
