"""A user of its own for each kind of program, when the embedded servers are to let nobody else in."""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from common.settings import Settings

FOLDER = "secrets"
OPERATOR = "operator"  # start.sh, stop.sh, ./fleet and setup_schema.py
KINDS = ("ingester", "processor", "dashboard", OPERATOR)
PASSWORD_BYTES = 24

# What each kind may do in Redis. Scripts run with the rights of who calls them. An ingester cannot remove a record, a
# processor cannot append for a source, the dashboard cannot remove a record: it says that it lives, writes down alarms
# and what people did, and does what an operator tells it to.
COMMON = (
    "-@all +@read +@connection +@transaction +@scripting -script|flush -script|kill -@dangerous +info +time"
    " +hset +expire"
)
ACL = {
    "ingester": (
        "~stream:* ~shard:* ~state:* ~proc:* ~topics ~wanted:* ~budget:* ~ban:* ~backfill:* %R~symbols:* %R~recording "
        f"{COMMON} +@hash +xadd +set +srem +pexpire"
    ),
    "processor": (
        "~stream:* ~shard:* ~group:* ~members:* ~checkpoint:* ~aside:* ~redriven:* ~proc:* ~topics ~wanted:* ~state:* "
        "%R~paused:* "
        f"{COMMON} +@stream +@hash +@set +@sortedset +set +del +unlink +pexpire"
    ),
    "dashboard": (
        "~* -@all +@read +@connection +@transaction +@scripting -script|flush -script|kill -@dangerous +info +time "
        "+config|get (~proc:* +hset +expire) "
        "(~stream:alerts ~shard:{stream:alerts} ~state:alerts ~topics +@scripting +@hash +@read +xadd +set) "
        "(~stream:* ~shard:* ~group:* ~topics ~dead_letters:settled ~alerts:muted +@scripting +@hash +@read +xadd "
        "+xgroup|setid +xgroup|destroy) "
        "(~group:* ~paused:* ~symbols:* ~venues:off +del +sadd +srem +lpush +ltrim) "
        "(~program:crashes +zadd +zremrangebyscore)"
    ),
    OPERATOR: "~* &* +@all",
}
READS_ONLY = 2  # settings may be changed, as drivers do, but nothing written


def prepare(settings: Settings) -> dict[str, dict[str, str]]:
    """
    Return what each kind of program finds in its environment; nothing unless the settings ask for passwords.

    Passwords are made once and lie in files that their owner alone may read; so do the users files of the servers.
    """
    if not settings.embedded_passwords:
        return {}
    folder = settings.data_dir.absolute() / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    passwords = {kind: _password(folder / kind) for kind in KINDS}
    if settings.embedded_redis:
        _write(redis_users(settings), _acl(passwords))
    if settings.embedded_clickhouse:
        _write(clickhouse_users(settings), _users(passwords))
    return {kind: _environment(settings, folder, kind) for kind in KINDS}


def redis_users(settings: Settings) -> Path:
    """Return where the embedded Redis finds its users."""
    return settings.data_dir.absolute() / FOLDER / "redis-users.acl"


def clickhouse_users(settings: Settings) -> Path:
    """Return where the embedded ClickHouse finds its users."""
    return settings.data_dir.absolute() / FOLDER / "clickhouse-users.json"


def _environment(settings: Settings, folder: Path, kind: str) -> dict[str, str]:
    file = str(folder / kind)
    environment: dict[str, str] = {}
    if settings.embedded_redis:
        environment |= {"REDIS_USER": kind, "REDIS_PASSWORD_FILE": file}
    if settings.embedded_clickhouse:
        environment |= {"CLICKHOUSE_USER": kind, "CLICKHOUSE_PASSWORD_FILE": file}
    return environment


def _acl(passwords: Mapping[str, str]) -> str:
    """Return Redis's users file; https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/."""
    lines = [f"user {kind} on #{_digest(password)} {ACL[kind]}" for kind, password in passwords.items()]
    return "\n".join(["user default off", *lines]) + "\n"


def _users(passwords: Mapping[str, str]) -> str:
    users = {
        kind: {"password_sha256_hex": _digest(password), "readonly": READS_ONLY if kind == "dashboard" else 0}
        for kind, password in passwords.items()
        if kind != "ingester"  # which has no business there
    }
    return json.dumps(users)


def _password(file: Path) -> str:
    """Return the password in a file, made if there is none."""
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        _write(file, password + "\n")
        return password


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def _write(file: Path, text: str) -> None:
    draft = file.with_name(file.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        handle.write(text)
    draft.replace(file)
