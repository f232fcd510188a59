"""`fleet config`: every setting, its value, and where it comes from."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from dotenv import dotenv_values

from common.settings import Settings
from monitoring.cli.asking import ENV_FILE, Call
from monitoring.cli.printing import console, show_json, table, tell

EXAMPLES = """
Examples:  fleet config  |  fleet config --json | jq '.[] | select(.origin != "default")'
"""
SECRET = re.compile("password|secret|token|api_key|rpc_url")
CREDENTIALS = re.compile(
    r"(?<=//)[^/@]*@|(?<=\?).*$"
)  # of an address: the user's part, and what may be a key behind it
HIDDEN = "***"


@dataclass(frozen=True)
class Chosen:
    """A setting as it stands; `origin` is default, env, .env, or started: what start.sh was given."""

    name: str
    value: str | float | None
    origin: str


def config(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show every setting, its value and its origin; exit 78, naming every problem, when they cannot work."""
    call: Call = ctx.obj
    settings = call.settings
    rows = chosen(call, settings)
    tell(*(f"{name} in .env is no setting of ours" for name in strangers()))
    if as_json:
        show_json([asdict(row) for row in rows])
        return
    cells = [(row.name, "" if row.value is None else str(row.value), row.origin) for row in rows]
    console().print(table("", ("setting", "value", "origin"), cells))


def chosen(call: Call, settings: Settings) -> list[Chosen]:
    """Return every setting, secrets hidden."""
    places = {"env": call.environ, "started": call.started, ".env": dotenv_values(ENV_FILE, interpolate=False)}
    return [
        Chosen(field.upper(), _shown(field, getattr(settings, field)), _origin(field.upper(), places))
        for field in Settings.model_fields
    ]


def strangers() -> list[str]:
    """Return the names in `.env` that we do not know: most often a slip of the pen."""
    known = {field.upper() for field in Settings.model_fields}
    return [name for name in dotenv_values(ENV_FILE, interpolate=False) if name.removesuffix("_FILE") not in known]


def _origin(name: str, places: Mapping[str, Mapping[str, str | None]]) -> str:
    return next((place for place, named in places.items() if named.get(name) or named.get(f"{name}_FILE")), "default")


def _shown(field: str, value: object) -> str | float | None:
    if SECRET.search(field):
        return HIDDEN if value else None
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, str) and "://" in value:
        return CREDENTIALS.sub(lambda found: HIDDEN + ("@" if found[0].endswith("@") else ""), value)
    return value if isinstance(value, (int, float, bool, type(None))) else str(value)
