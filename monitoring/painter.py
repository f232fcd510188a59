"""Turns views into HTML: whole pages, and the fragments of them that live."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from monitoring.assets import assets_of
from monitoring.facts import Overview
from monitoring.filters import FILTERS
from monitoring.page import Page

HERE = Path(__file__).parent
MOST_KEPT = 64  # pages in different colours that are kept painted


@dataclass(frozen=True)
class Canvas:
    """What is painted: the page's view, the fleet and the disk for the bar on top, and the address asked."""

    view: Any
    given: object
    status: Overview
    firing: int | None
    disk_used: float | None
    path: str
    query: str

    @property
    def live(self) -> str:
        """Return where its fragments come from."""
        path = "/overview" if self.path == "/" else quote(self.path)
        return f"/live{path}" + (f"?{self.query}" if self.query else "")


class Painter:
    """Fills templates; what is asked for at one address is painted once for each snapshot."""

    def __init__(self, pages: tuple[Page, ...]) -> None:
        self._painted: OrderedDict[str, tuple[int, dict[str, str]]] = OrderedDict()
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            cache_size=-1,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(FILTERS)
        self.assets = assets_of(HERE / "static")
        self._templates.globals["static"] = self.assets.address
        self._templates.globals["pages"] = [page for page in pages if page.shortcut]

    async def warm(self) -> None:
        """Compile every template, one after the other between other work, so that nobody who looks first waits."""
        for name in self._templates.list_templates(extensions=("html",)):
            self._templates.get_template(name)
            await asyncio.sleep(0.05)

    def page(self, page: Page, canvas: Canvas, **more: object) -> str:
        """Return the whole page; `more` is what this one request has to say."""
        return self.text(f"{page.name}.html", **_facts(page, canvas), **more)

    def held(self, address: str, number: int) -> dict[str, str] | None:
        """Return the fragments of an address if they were painted for this snapshot already."""
        painted_at, painted = self._painted.get(address, (-1, {}))
        return painted if painted_at == number else None

    def fragments(self, page: Page, canvas: Canvas, address: str, number: int) -> dict[str, str]:
        """Return the parts of the page that live, by id."""
        facts = _facts(page, canvas)
        painted = {
            "status": self.text("status.html", **facts),
            **{name: self.text(f"{page.name}/{name}.html", **facts) for name in page.fragments},
        }
        self._painted[address] = (number, painted)
        self._painted.move_to_end(address)
        while len(self._painted) > MOST_KEPT:
            self._painted.popitem(last=False)
        return painted

    def text(self, template: str, **facts: object) -> str:
        """Return a template filled with facts."""
        return self._templates.get_template(template).render(facts)


def _facts(page: Page, canvas: Canvas) -> Mapping[str, Any]:
    return {
        "view": canvas.view,
        "fleet": canvas.status,
        "firing": canvas.firing,
        "live": canvas.live,
        "disk_used": canvas.disk_used,
        "query": dict(parse_qsl(canvas.query)),
        "asked_range": getattr(canvas.given, "range", ""),
        "page": page,
        **page.more(canvas.view),
    }
