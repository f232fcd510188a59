"""What a page is: what it asks, how it looks at that, and which of its parts live."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from monitoring.desk import Desk
from monitoring.overview import House
from monitoring.ranges import RANGES
from monitoring.watch import Snapshot


class NotThere(Exception):
    """There is no such stream, instrument or letter; its words say what there is."""


@dataclass(frozen=True)
class Nothing:
    """What a page without parameters is given."""


@dataclass(frozen=True)
class Look:
    """What a view is made of: the snapshot, what the address gave, and what the page's own questions found."""

    shot: Snapshot
    now_ns: int
    house: House
    given: Any = Nothing()
    found: Any = None


async def nothing(desk: Desk, given: object, shot: Snapshot) -> None:
    """Ask nothing beside the snapshot."""
    del desk, given, shot


@dataclass(frozen=True)
class Page:
    """
    What a page is. `fragments` name the templates `<name>/<fragment>.html` whose root has the fragment's name as id.

    `given` is made of the path and the query; `ask` may ask the servers, `view` is pure. `more` makes what only the
    templates need of the view, `lines` what is exported of it as JSON lines. A page without a shortcut is reached from
    another, not from the bar: `under` names that one. Browsers without scripts load it again every `refresh_s`, if that
    is not 0.
    """

    path: str
    name: str
    title: str
    shortcut: str
    model: type[Any]
    view: Callable[[Look], Any]
    fragments: tuple[str, ...]
    given: type[Any] = Nothing
    ask: Callable[[Desk, Any, Snapshot], Awaitable[Any]] = nothing
    more: Callable[[Any], Mapping[str, object]] = lambda _: {}
    lines: Callable[[Any], Iterable[object]] | None = None
    under: str = ""
    refresh_s: int = 5

    @property
    def address(self) -> str:
        """Return what follows /api/v1 and /live."""
        return "/overview" if self.path == "/" else self.path

    @property
    def ranges(self) -> tuple[str, ...]:
        """Return the stretches of time it can be asked for; none where it shows none."""
        return RANGES if "range" in getattr(self.given, "__dataclass_fields__", ()) else ()
