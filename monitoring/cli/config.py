"""`fleet config`: every setting, its value, and where it comes from; whether all is sound; where to change it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from dotenv import dotenv_values

from common.errors import BadSettings
from common.settings import Settings
from monitoring.cli.asking import ENV_FILE, Call
from monitoring.cli.exits import FAILED
from monitoring.cli.printing import console, show_json, table, tell
from monitoring.settings_rows import HIDDEN, shown

EXAMPLES = """
Examples:  fleet config  |  fleet config show --changed  |  fleet config check && ./start.sh  |  fleet config path  |
fleet config --json | jq '.[] | select(.origin != "default")'
"""
DEFAULT = "default"


@dataclass(frozen=True)
class Chosen:
    """A setting as it stands; `origin` is default, env, .env, or started: what start.sh was given."""

    name: str
    value: str | float | None
    origin: str


def show(
    ctx: typer.Context,
    origin: Annotated[
        str | None, typer.Option("--origin", metavar="WHERE", help="Only those from default, env, .env or started.")
    ] = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only those that are not at their default.")] = False,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show every setting, its value and its origin; exit 78, naming every problem, when they cannot work."""
    call: Call = ctx.obj
    rows = [row for row in chosen(call, call.settings) if not (changed and row.origin == DEFAULT)]
    rows = [row for row in rows if origin in (None, row.origin)]
    tell(*(f"{name} in .env is no setting of ours" for name in strangers()))
    if as_json:
        show_json([asdict(row) for row in rows])
        return
    cells = [(row.name, _text(row.value), row.origin) for row in rows]
    console().print(table("", ("setting", "value", "origin"), cells))


def check(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Say whether the settings can work, before anything is started; exit 78 naming every problem, 1 for a slip."""
    call: Call = ctx.obj
    slips = strangers()
    try:
        count = sum(row.origin != DEFAULT for row in chosen(call, call.settings))
    except BadSettings as error:
        if as_json:
            show_json({"sound": False, "chosen": None, "unknown": slips, "problems": error.problems})
        raise
    if as_json:
        show_json({"sound": not slips, "chosen": count, "unknown": slips, "problems": []})
    tell(*(f"{name} in .env is no setting of ours: see .env.example" for name in slips))
    if slips:
        raise typer.Exit(FAILED)
    tell(f"sound: {count} settings chosen, all others at their defaults")


def path(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Print where the settings of this fleet are written down: a file that may not be there yet."""
    del ctx
    if as_json:
        show_json({"path": str(ENV_FILE.absolute()), "exists": ENV_FILE.is_file()})
    else:
        console().print(str(ENV_FILE.absolute()), soft_wrap=True)


def chosen(call: Call, settings: Settings) -> list[Chosen]:
    """Return every setting, secrets hidden."""
    places = {"env": call.environ, "started": call.started, ".env": dotenv_values(ENV_FILE, interpolate=False)}
    return [
        Chosen(field.upper(), _value(field, getattr(settings, field)), _origin(field.upper(), places))
        for field in Settings.model_fields
    ]


def strangers() -> list[str]:
    """Return the names in `.env` that we do not know: most often a slip of the pen."""
    known = {field.upper() for field in Settings.model_fields}
    return [name for name in dotenv_values(ENV_FILE, interpolate=False) if name.removesuffix("_FILE") not in known]


def _origin(name: str, places: Mapping[str, Mapping[str, str | None]]) -> str:
    return next((place for place, named in places.items() if named.get(name) or named.get(f"{name}_FILE")), DEFAULT)


def _value(field: str, value: object) -> str | float | None:
    """Return a setting's value: a number as one, None where none is set, and no secret."""
    text = ",".join(value) if isinstance(value, tuple) else shown(field, value)  # as it is typed
    return value if text != HIDDEN and isinstance(value, (int, float)) else text or None


def _text(value: str | float | None) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
