"""Passwords of Redis and ClickHouse that change while a fleet runs: told, waited for, and nothing is lost."""

import json
from functools import partial

import pytest

from common.clickhouse import Store, connect
from common.errors import StoreRefused
from common.refusals import is_about_password
from common.settings import Settings
from tests.faults.kit import work
from tests.faults.plain_venue import NAME
from tests.fleet_harness import wait_for

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(120)]

WRITER = "clickhouse_writer"
REDIS_SAYS, CLICKHOUSE_SAYS = "invalid username-password pair", "Authentication failed"
USER = {"REDIS_USER": "fleet", "CLICKHOUSE_USER": "fleet"}


@pytest.fixture
def guarded(bare):
    """Servers that let programs in under a password."""
    bare.start_redis()
    ask_for(bare, "first", is_first=True)
    bare.start_clickhouse("--users", str(bare.folder / "users.json"))
    bare.set_up_schema()
    return bare


def ask_for(fleet, password, *, is_first=False):
    """Have both servers take this password and no other, and end the connections that were let in with another."""
    rights = {"categories": ["+@all"], "keys": ["*"], "channels": ["*"]}
    resets = {"reset": is_first, "reset_passwords": not is_first, "enabled": True}
    fleet.redis.acl_setuser("fleet", passwords=f"+{password}", **resets, **rights)
    if not is_first:
        fleet.redis.client_kill_filter(user="fleet")
    draft = fleet.folder / "users.new"
    draft.write_text(json.dumps({"default": {"password": ""}, "fleet": {"password": password}}))
    draft.replace(fleet.folder / "users.json")


def wait_told(fleet, name, what, remedy):
    """Return when a program has said in its log what is wrong and what is to be done."""
    wait_for(
        lambda: any(what in line and remedy in line for line in fleet.log(name).splitlines()), what=f"{name}: {what}"
    )


def test_a_password_from_a_file_is_read_again_and_nothing_is_lost(guarded):
    for server in ("REDIS", "CLICKHOUSE"):
        file = guarded.folder / server.lower()
        file.with_suffix(".secret").write_text("first\n")
        guarded.environment[f"{server}_PASSWORD_FILE"] = str(file.with_suffix(".secret"))
    guarded.environment |= USER
    with work(guarded) as load:
        load.begin()
        ask_for(guarded, "second")
        for name in (NAME, WRITER):
            wait_told(guarded, name, REDIS_SAYS, "REDIS_PASSWORD_FILE=")
        missed = load.keep_sending(1.0)
        (guarded.folder / "redis.secret").write_text("second\n")
        wait_told(guarded, WRITER, CLICKHOUSE_SAYS, "CLICKHOUSE_PASSWORD_FILE=")
        wait_for(lambda: guarded.redis.hget(f"proc:{WRITER}", "state"), expected="waiting", what="shown, and an alarm")
        (guarded.folder / "clickhouse.secret").write_text("second\n")

        load.assert_whole()
        assert missed > 100


def test_what_is_read_piece_by_piece_is_asked_for_with_the_new_password(guarded):
    secret = guarded.folder / "clickhouse.secret"
    secret.write_text("first\n")
    guarded.environment |= {**USER, "CLICKHOUSE_PASSWORD_FILE": str(secret)}
    settings = Settings.from_env(guarded.environment, guarded.folder / "none")
    store, old = Store(connect(settings), partial(connect, settings)), Store(connect(settings))
    ask_for(guarded, "second")
    wait_for(lambda: is_refused(old), expected=True, what="the old password is refused")
    secret.write_text("second\n")

    assert b"1\n" == b"".join(store.stream("SELECT 1", "TSV"))


def is_refused(store):
    try:
        b"".join(store.stream("SELECT 1", "TSV"))
    except StoreRefused as refused:
        return is_about_password(refused)
    return False


def test_a_password_from_the_environment_is_told_to_need_a_restart_and_nothing_is_lost(guarded):
    guarded.environment |= {**USER, "REDIS_PASSWORD": "first", "CLICKHOUSE_PASSWORD": "first"}
    with work(guarded) as load:
        load.begin()
        ask_for(guarded, "second")
        for name in (NAME, WRITER):
            wait_told(guarded, name, REDIS_SAYS, "set REDIS_PASSWORD and restart this program")
        load.ledger.flows = False
        guarded.environment |= {"REDIS_PASSWORD": "second", "CLICKHOUSE_PASSWORD": "second"}
        for name in (NAME, WRITER):
            assert 0 == guarded.end(name)
            guarded.restart(name)

        load.assert_whole()
