"""Every setting as it stands, and where it comes from; a secret is never among what is returned."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from common.settings import Settings

SECRET = re.compile("password|secret|token|api_key|rpc_url|notify_urls|notification_url")
# Of an address: the user's part, and what may be a key behind the question mark.
CREDENTIALS = re.compile(r"(?<=//)[^/@]*@|(?<=\?).*$")
HIDDEN = "***"
Named = Mapping[str, str | None]


@dataclass(frozen=True)
class SettingRow:
    """A setting; `value` is empty where none is set, `origin` is environment, .env or default."""

    name: str
    value: str
    origin: str


def settings_rows(settings: Settings, environ: Named, env_file: Named) -> tuple[SettingRow, ...]:
    """Return every setting, secrets hidden."""
    places = (("environment", environ), (".env", env_file))
    return tuple(
        SettingRow(field.upper(), shown(field, getattr(settings, field)), _origin(field.upper(), places))
        for field in Settings.model_fields
    )


def _origin(name: str, places: tuple[tuple[str, Named], ...]) -> str:
    return next((place for place, named in places if named.get(name) or named.get(f"{name}_FILE")), "default")


def shown(field: str, value: object) -> str:
    """Return a setting's value as it may be seen: `***` for a secret, no credentials in an address."""
    if isinstance(value, SecretStr) or (SECRET.search(field) and not isinstance(value, bool)):
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        return HIDDEN if text else ""
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, str) and "://" in value:
        return CREDENTIALS.sub(lambda found: HIDDEN + ("@" if found[0].endswith("@") else ""), value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
