"""What the programs stand on, started before all else: embedded servers, and the simulator if it is to feed us."""

import hashlib
import json
import os

from common.settings import Settings
from embedded.redis_binary import NoServer, find_or_unpack
from launch import feeds, passwords, ports
from launch.programs import CLICKHOUSE, REDIS, Program
from launch.report import CannotStart
from launch.start import Start


def start_base(start: Start) -> list[Program]:
    """
    Start Supervisor with what the programs stand on, and return that; nothing is waited for.

    Raises:
        CannotStart: there is no Redis to run, or Supervisor will not.
    """
    settings = start.settings
    if settings.embedded_redis:
        _bring_redis()
    base = [with_users(program, settings) for program in embedded(settings)]
    if start.options.feed != "live":
        start.addresses.unlink(missing_ok=True)
        base.append(feeds.simulator(start.options, start.addresses))
    start.write_configuration(base)
    start.daemon.start()
    return base


def _bring_redis() -> None:
    """See that there is a Redis server, unpacking one if need be."""
    try:
        find_or_unpack()
    except NoServer as error:
        raise CannotStart(str(error)) from error


def embedded(settings: Settings) -> list[Program]:
    """Return the embedded servers that the settings ask for."""
    wanted = []
    if settings.embedded_redis:
        wanted.append(Program("redis", "server", ("-m", "embedded.redis"), REDIS))
    if settings.embedded_clickhouse:
        path = str(settings.data_dir.absolute() / "clickhouse")
        address = ("--host", "127.0.0.1", "--port", str(settings.clickhouse_port), "--path", path)
        wanted.append(Program("clickhouse", "server", ("-m", "embedded.clickhouse", *address), CLICKHOUSE))
    return wanted


def with_users(program: Program, settings: Settings) -> Program:
    """Return the embedded ClickHouse as it is to be run: with a users file when the settings name one."""
    if program.name == "clickhouse" and settings.embedded_passwords:
        users = ("--users", str(passwords.clickhouse_users(settings)))
        return Program(program.name, program.kind, (*program.arguments, *users), program.priority)
    password = settings.clickhouse_password.get_secret_value()
    if program.name != "clickhouse" or (settings.clickhouse_user, password) == ("default", ""):
        return program
    file = settings.data_dir.absolute() / "run" / "clickhouse-users.json"
    file.unlink(missing_ok=True)
    digest = hashlib.sha256(password.encode()).hexdigest()
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        json.dump({settings.clickhouse_user: {"password_sha256_hex": digest}}, handle)
    return Program(program.name, program.kind, (*program.arguments, "--users", str(file)), program.priority)


def check_own(settings: Settings) -> None:
    """Raise CannotStart when one of the operator's own servers cannot be used."""
    if settings.embedded_redis and settings.embedded_clickhouse:
        return
    from launch import servers  # noqa: PLC0415  a second of imports, which embedded servers need not wait for

    if not settings.embedded_redis:
        servers.check_own_redis(settings).check(servers.redis_address(settings))
    if not settings.embedded_clickhouse:
        servers.check_own_clickhouse(settings)


def check_ports(settings: Settings) -> None:
    """Raise CannotStart, naming every port that somebody else has."""
    wanted = [(settings.dashboard_host, settings.dashboard_port, "DASHBOARD", "dashboard")]
    if settings.embedded_redis:
        wanted.append(("127.0.0.1", settings.redis_port, "REDIS", "redis"))
    if settings.embedded_clickhouse:
        wanted.append(("127.0.0.1", settings.clickhouse_port, "CLICKHOUSE", "clickhouse"))
    troubles = []
    for host, port, prefix, name in wanted:
        if not ports.is_free(host, port):
            own = "" if prefix == "DASHBOARD" else f", or {prefix}_HOST=127.0.0.1 to use that server"
            troubles.append(
                f"{name}: port {port} is used by {ports.holder(port)}, not ours: set {prefix}_PORT to a free one{own}"
            )
    if troubles:
        raise CannotStart(*troubles)
