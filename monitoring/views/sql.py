"""/sql: one statement that may read, what it gave, and what others ask."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import Query

from monitoring.page import Look
from monitoring.prompts import fleet
from monitoring.sql_box import LONGEST_S, LONGEST_TEXT, MOST_ROWS, Table

COOKBOOK = Path(__file__).parents[2] / "docs" / "cookbook.md"
RECIPE = re.compile(r"^## (?P<title>[^\n]+)$|^```sql\n(?P<sql>.+?)^```$", re.MULTILINE | re.DOTALL)
LONGEST_CELL = 500  # characters of a value that the page shows
NUMBER = re.compile(r"(Nullable\()?(U?Int|Float|BFloat|Decimal)")


@dataclass(frozen=True)
class Given:
    """A statement to begin with. An address fills the box and runs nothing: a link from elsewhere must cost nothing."""

    query: Annotated[str, Query(max_length=LONGEST_TEXT)] = ""


@dataclass(frozen=True)
class Recipe:
    """A question of the cookbook."""

    title: str
    sql: str


@dataclass(frozen=True)
class Sql:
    """The box before anything was asked, and the limits of what is."""

    query: str
    recipes: tuple[Recipe, ...]
    most_rows: int
    longest_s: int


def view(look: Look) -> Sql:
    """Return the box with the statement of the address in it."""
    return box(look.given.query)


def box(query: str) -> Sql:
    """Return the box with a statement in it."""
    return Sql(query, recipes(), MOST_ROWS, LONGEST_S)


@cache
def recipes(path: Path = COOKBOOK) -> tuple[Recipe, ...]:
    """Return the first question under each heading of the cookbook; none where it is not there."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return ()
    found, title = list[Recipe](), ""
    for match in RECIPE.finditer(text):
        if match["title"]:
            title = match["title"]
        elif title:
            found.append(Recipe(title, match["sql"].strip()))
            title = ""
    return tuple(found)


def command(query: str) -> str:
    """Return what asks the same at a prompt."""
    text = query.replace("\r\n", "\n").strip()
    return fleet("sql", *(("--",) if text.startswith("-") else ()), text)


def cell(value: Any) -> str:  # noqa: ANN401  whatever JSON has
    """Return a value as text, cut where it grows long."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    rest = len(text) - LONGEST_CELL
    return text if rest <= 0 else f"{text[:LONGEST_CELL]} ... {rest:,} characters more"


def is_number(kind: str) -> bool:
    """Return whether values of a type of the engine stand under each other by their last digit."""
    return NUMBER.match(kind) is not None


def lines(table: Table) -> Iterator[dict[str, Any]]:
    """Yield the rows by their columns; a name that comes again is told from the first by a number."""
    names = list[str]()
    for name in table.names:
        others = (f"{name}_{number}" for number in count(2))
        names.append(name if name not in names else next(other for other in others if other not in names))
    yield from (dict(zip(names, row, strict=True)) for row in table.rows)
