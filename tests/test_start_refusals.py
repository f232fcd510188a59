"""What start.sh says when it cannot start: one line with cause and remedy, and nothing left behind."""

import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.start_kit import Tree, free_ports, is_open, stamped, wait_for

pytestmark = pytest.mark.fleet


@pytest.fixture(scope="module")
def shared_tree(tmp_path_factory):
    stamped()
    made = Tree(tmp_path_factory.mktemp("refusals") / "tree")
    yield made
    made.stop()


@pytest.fixture
def tree(shared_tree):
    yield shared_tree
    (shared_tree.root / ".env").unlink(missing_ok=True)

    assert [] == shared_tree.pids()
    assert [] == shared_tree.open_ports()


def test_an_unknown_flag_is_answered_with_the_usage(tree):
    said = tree.start("--turbo")

    assert 2 == said.returncode
    assert "usage: ./start.sh" in said.stdout
    assert "--turbo" in said.stdout


def test_a_speed_without_a_replay_is_a_usage_error(tree):
    said = tree.start("--demo", "--speed", "2")

    assert (2, True) == (said.returncode, "--speed belongs to --replay" in said.stdout)


def test_help_names_every_flag_and_starts_nothing(tree):
    said = tree.start("--help")

    assert 0 == said.returncode
    assert all(flag in said.stdout for flag in ("--demo", "--replay", "--speed"))


def test_every_bad_setting_is_named_at_once(tree):
    (tree.root / ".env").write_text("BINANCE_WS_URL=example.com\nDASHBOARD_HOST=0.0.0.0\n")

    said = tree.start(TRADE_PROCESSORS="none")

    assert 78 == said.returncode
    assert "BINANCE_WS_URL" in said.stdout
    assert "TRADE_PROCESSORS" in said.stdout


def test_an_unreadable_env_file_is_named(tree):
    (tree.root / ".env").write_bytes(b"BINANCE_SYMBOLS=\xff\xfe\n")

    said = tree.start()

    assert 78 == said.returncode
    assert ".env: cannot be read" in said.stdout


def test_a_missing_recording_is_named(tree):
    said = tree.start("--replay", "nowhere.jsonl.gz")

    assert 1 == said.returncode
    assert f"{tree.root}/nowhere.jsonl.gz: no such file" in said.stdout


def test_a_file_that_is_no_recording_is_refused_by_name_before_anything_starts(tree, tmp_path):
    file = tmp_path / "shopping.jsonl.gz"
    file.write_text("milk\n")

    said = tree.start("--replay", file)

    assert 1 == said.returncode
    assert "shopping.jsonl.gz" in said.stdout
    assert "[3/6]" not in said.stdout


def test_a_taken_port_is_told_with_its_holder_and_the_choices(tree):
    with socket.create_server(("127.0.0.1", tree.redis_port)):
        said = tree.start()

    assert 1 == said.returncode
    assert f"redis: port {tree.redis_port} is used by pid " in said.stdout
    assert "set REDIS_PORT to a free one, or REDIS_HOST=127.0.0.1 to use that server" in said.stdout


def test_all_taken_ports_are_told_at_once(tree):
    with (
        socket.create_server(("127.0.0.1", tree.clickhouse_port)),
        socket.create_server(("127.0.0.1", tree.dashboard_port)),
    ):
        said = tree.start()

    assert f"clickhouse: port {tree.clickhouse_port} is used" in said.stdout
    assert f"dashboard: port {tree.dashboard_port} is used" in said.stdout


def test_a_data_directory_that_cannot_be_made_is_told(tree, tmp_path):
    (tmp_path / "file").write_text("")

    said = tree.start(DATA_DIR=str(tmp_path / "file" / "data"))

    assert 1 == said.returncode
    assert "set DATA_DIR or LOG_DIR" in said.stdout


def test_an_own_redis_that_does_not_answer_is_told_with_its_address(tree):
    (port,) = free_ports(1)

    said = tree.start(REDIS_HOST="127.0.0.1", REDIS_PORT=str(port))

    assert 1 == said.returncode
    assert f"redis 127.0.0.1:{port} does not answer" in said.stdout


def test_the_password_of_a_redis_url_is_never_told(tree):
    said = tree.start(REDIS_URL="redis://:sesame@127.0.0.1:1/0")

    assert 1 == said.returncode
    assert "redis 127.0.0.1:1 does not answer" in said.stdout
    assert "sesame" not in said.stdout


def test_an_own_clickhouse_that_does_not_answer_is_told_with_its_address(tree):
    (port,) = free_ports(1)

    said = tree.start(CLICKHOUSE_HOST="127.0.0.1", CLICKHOUSE_PORT=str(port))

    assert 1 == said.returncode
    assert f"clickhouse 127.0.0.1:{port} does not answer" in said.stdout


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
def test_an_own_redis_that_evicts_is_refused_with_the_remedy(tree, tmp_path):
    (port,) = free_ports(1)
    command = ["redis-server", "--port", str(port), "--dir", str(tmp_path), "--save", ""]
    server = subprocess.Popen([*command, "--maxmemory-policy", "allkeys-lru"], stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_open(port), "redis")
        said = tree.start(REDIS_HOST="127.0.0.1", REDIS_PORT=str(port))
    finally:
        server.terminate()
        server.wait()

    assert 1 == said.returncode
    assert "allkeys-lru" in said.stdout
    assert "config set maxmemory-policy noeviction" in said.stdout


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
def test_a_damaged_append_only_file_is_told_with_the_way_to_mend_it(tree, tmp_path):
    _damaged_record(tree, tmp_path)

    said = tree.start(DATA_DIR=str(tmp_path))

    assert 1 == said.returncode
    assert "append-only file, which is damaged" in said.stdout
    assert "redis-check-aof --fix" in said.stdout


def test_a_missing_venv_module_is_told_with_the_package_that_has_it(tmp_path):
    tree = Tree(tmp_path / "tree", venv=None)
    fake = tmp_path / "bin" / "python3"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\nexec {sys.executable} "$@"\n')
    fake.chmod(0o755)

    said = tree.start(PATH=f"{fake.parent}:/usr/bin:/bin")

    assert 1 == said.returncode
    assert "sudo apt-get install python3-venv" in said.stdout


def test_an_old_python_is_told_with_the_version_that_is_needed(tmp_path):
    tree = Tree(tmp_path / "tree", venv=None)
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)

    said = tree.start(PATH=f"{folder}:/usr/bin:/bin")

    assert 1 == said.returncode
    assert "Python 3.11 or newer is missing" in said.stdout


def _damaged_record(tree, data_dir):
    """Leave an append-only file with wrong bytes in its middle, as a broken disk does."""
    changed = {**tree.environment, "DATA_DIR": str(data_dir)}
    server = subprocess.Popen(
        [sys.executable, "-m", "embedded.redis"], cwd=tree.root, env=changed, stdout=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: is_open(tree.redis_port), "redis")
        tree.python(
            f"import redis; r = redis.Redis(port={tree.redis_port})\nfor n in range(500): r.set(f'key{{n}}', 'x' * 50)"
        )
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    (file,) = Path(data_dir, "redis").rglob("*.incr.aof")
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 60] = bytes(60)
    file.write_bytes(content)
