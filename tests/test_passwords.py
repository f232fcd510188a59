"""Each kind of program comes in under a name of its own and can do its work, and no more."""

import stat
import tempfile
from pathlib import Path

import pytest
import redis
import requests

from common.settings import Settings
from embedded.clickhouse.users import UsersFile
from launch.passwords import ACL, KINDS, prepare
from tests.start_kit import ROOT, Tree, stamped, wait_for


def test_no_passwords_are_made_unless_the_settings_ask_for_them(tmp_path):
    assert {} == prepare(Settings(data_dir=tmp_path))
    assert [] == list(tmp_path.iterdir())


def test_passwords_lie_where_their_owner_alone_can_read_them_and_stay_the_same(tmp_path):
    settings = Settings(data_dir=tmp_path, embedded_passwords=True)

    users = prepare(settings)
    files = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}

    assert users == prepare(settings)
    assert files == {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "secrets").iterdir()}
    assert len(KINDS) == len({files[kind] for kind in KINDS})


def test_no_password_stands_in_what_supervisor_is_told(tmp_path):
    users = prepare(Settings(data_dir=tmp_path, embedded_passwords=True))
    told = str(users)

    assert [] == [kind for kind in KINDS if (tmp_path / "secrets" / kind).read_text().strip() in told]


def test_servers_of_ones_own_are_let_alone(tmp_path):
    settings = Settings(data_dir=tmp_path, embedded_passwords=True, redis_host="redis", clickhouse_host="clickhouse")

    assert {kind: {} for kind in KINDS} == prepare(settings)


def test_the_users_file_for_ones_own_redis_has_the_same_rights():
    lines = (ROOT / "deploy" / "redis-users.acl").read_text().splitlines()
    rights = {line.split()[1]: line.split(maxsplit=4)[4] for line in lines if " on >" in line and line[0] != "#"}

    assert rights == {kind: rules for kind, rules in ACL.items() if kind != "operator"}


@pytest.mark.fleet
@pytest.mark.timeout(240)
def test_a_fleet_with_passwords_records_and_lets_nobody_else_in():
    stamped()
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(Path(folder) / "tree")
        try:
            said = tree.start("--demo", EMBEDDED_PASSWORDS="true")
            assert 0 == said.returncode, said.stdout
            secrets = tree.root / "data" / "demo" / "secrets"
            passwords = {kind: (secrets / kind).read_text().strip() for kind in KINDS}
            reader = {"user": "dashboard", "password": passwords["dashboard"], "database": "tickfleet"}
            address = f"http://127.0.0.1:{tree.clickhouse_port}/"

            def asked(sql, **user):
                return requests.post(address, params=user or reader, data=sql, timeout=10)

            wait_for(lambda: int(asked("SELECT count() FROM trades").text) > 500, "no trades", give_up_s=60)
            ready = f"http://127.0.0.1:{tree.dashboard_port}/readyz"

            def is_ready():
                return requests.get(ready, timeout=10).status_code == 200

            wait_for(is_ready, "the dashboard is not let in", give_up_s=60)

            assert "AUTHENTICATION_FAILED" in asked("SELECT 1", user="default").text
            assert "READONLY" in asked("DROP TABLE trades").text
            with pytest.raises(redis.AuthenticationError):
                redis.Redis(port=tree.redis_port).ping()
            for kind in ("ingester", "processor", "dashboard"):
                client = redis.Redis(port=tree.redis_port, username=kind, password=passwords[kind])
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.flushall()
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.config_set("maxmemory", 1)
            assert [] == _told(tree, passwords.values())
        finally:
            tree.stop()


def _told(tree, secrets):
    """Return where a secret can be seen: logs, Supervisor's configuration, what start.sh writes down, command lines."""
    places = {
        str(file): file.read_bytes()
        for folder in ("logs", "run")
        for file in (tree.root / folder).iterdir()
        if file.is_file()
    }
    places |= {str(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in tree.pids()}
    return [place for place, text in places.items() for secret in secrets if secret.encode() in text]


def test_a_users_file_that_is_written_anew_is_read_again_and_one_that_makes_no_sense_changes_nothing(tmp_path):
    file = tmp_path / "users.json"
    file.write_text('{"one": {"password": "a"}}')
    known = UsersFile(file)
    for text, expected in (('{"two": {"password": "b"}}', "two"), ('{"thr', "two"), ('{"four": {}}', "four")):
        draft = tmp_path / "draft"
        draft.write_text(text)
        draft.replace(file)

        assert {expected} == known.users().keys()


def test_a_secret_is_read_from_its_file_again_and_stays_as_it_was_while_there_is_none(tmp_path):
    file = tmp_path / "redis"
    file.write_text("first\n")
    settings = Settings.from_env({"REDIS_PASSWORD_FILE": str(file)}, tmp_path / "none")
    file.write_text("second\n")

    assert "second" == settings.secret("redis_password")
    file.unlink()
    assert "first" == settings.secret("redis_password")
    assert "" == settings.secret("clickhouse_password")
