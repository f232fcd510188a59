"""Settings: environment over .env over defaults, and every problem named at once."""

import pytest

from common.errors import BadSettings
from common.settings import Settings


def problems(environ, env_file):
    with pytest.raises(BadSettings) as caught:
        Settings.from_env(environ, env_file)
    return caught.value.problems


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(tmp_path):
    file = tmp_path / ".env"
    file.write_text("REDIS_PORT=7001\nDASHBOARD_PORT=9000\n# a comment\nBINANCE_SYMBOLS=btcusdt, ethusdt ,\n")
    settings = Settings.from_env({"REDIS_PORT": "7002"}, file)

    assert (7002, 9000, 8123) == (settings.redis_port, settings.dashboard_port, settings.clickhouse_port)
    assert ("btcusdt", "ethusdt") == settings.binance_symbols


def test_without_any_setting_the_servers_are_the_embedded_ones(tmp_path):
    settings = Settings.from_env({}, tmp_path / "none")

    assert (True, True) == (settings.embedded_redis, settings.embedded_clickhouse)
    assert not Settings.from_env({"REDIS_URL": "redis://elsewhere:1"}, tmp_path / "none").embedded_redis


def test_everything_that_is_wrong_is_named_at_once(tmp_path):
    environ = {
        "REDIS_PORT": "high",
        "BINANCE_WS_URL": "http://stream",
        "DASHBOARD_HOST": "0.0.0.0",
        "BINANCE_SYMBOLS": " , ",
        "CLICKHOUSE_PASSWORD_FILE": "/not/there",
        "POLYMARKET_POLL_S": "0",
    }
    named = problems(environ, tmp_path / "none")

    assert [name.removesuffix("_FILE") for name in sorted(environ) if name != "DASHBOARD_HOST"] == sorted(
        {problem.partition(":")[0].partition("=")[0].removesuffix("_FILE") for problem in named}
        - {"DASHBOARD_PASSWORD"}
    )
    assert "BINANCE_WS_URL: expected ws://host or wss://host, found 'http://stream'" in named
    assert any("DASHBOARD_HOST=0.0.0.0 is reachable from outside: set a password" in problem for problem in named)


def test_a_secret_may_come_from_a_file_and_is_never_shown(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("tr0ub4dor\n")
    settings = Settings.from_env({"CLICKHOUSE_PASSWORD_FILE": str(secret)}, tmp_path / "none")

    assert "tr0ub4dor" == settings.clickhouse_password.get_secret_value()
    assert "tr0ub4dor" not in repr(settings)


def test_a_dashboard_opens_to_nobody_by_an_empty_password_nor_lets_readers_act(tmp_path):
    empty = tmp_path / "empty"
    empty.write_text("\n")
    for name in ("DASHBOARD_PASSWORD", "DASHBOARD_READER_PASSWORD"):
        (problem,) = problems({f"{name}_FILE": str(empty)}, tmp_path / "none")
        assert f"{name}: expected a password, found nothing" == problem
    same = {"DASHBOARD_PASSWORD": "sesame", "DASHBOARD_READER_PASSWORD": "sesame"}

    (problem,) = problems(same, tmp_path / "none")
    assert "sesame" not in problem
    assert "DASHBOARD_READER_PASSWORD: expected another password than DASHBOARD_PASSWORD" in problem


def test_a_password_that_is_wrong_is_not_repeated(tmp_path):
    assert all(
        "hunter2" not in problem for problem in problems({"REDIS_PASSWORD": "hunter2", "REDIS_DB": "-1"}, tmp_path)
    )


def test_a_file_of_settings_that_cannot_be_read_is_said_and_not_passed_over(tmp_path):
    (named,) = problems({}, tmp_path)

    assert f"{tmp_path}: cannot be read" in named


def test_an_empty_value_counts_as_not_set(tmp_path):
    assert Settings.from_env({"REDIS_PASSWORD": ""}, tmp_path / "none").redis_password is None
