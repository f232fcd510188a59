"""A page: one view of the snapshot, one template, and three ways to it: HTML, JSON and live fragments."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from common.clock import now_ns
from monitoring.filters import FILTERS
from monitoring.overview import House
from monitoring.watch import Snapshot, Watch

HERE = Path(__file__).parent
RETRY_MS = 1000


@dataclass(frozen=True)
class Page:
    """
    What a page is. `fragments` name the templates `<name>/<fragment>.html` whose root has the fragment's name as id.

    `more` makes what only the templates need of the view.
    """

    path: str
    name: str
    title: str
    shortcut: str
    model: type[Any]
    view: Callable[[Snapshot, int, House], Any]
    fragments: tuple[str, ...]
    more: Callable[[Any], Mapping[str, object]] = lambda _: {}


class Painter:
    """Turns views into HTML; a snapshot is painted once, however many browsers look at it."""

    def __init__(self, pages: tuple[Page, ...], house: House) -> None:
        self._house = house
        self._painted: dict[str, tuple[int, dict[str, str]]] = {}
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(FILTERS)
        self._templates.globals["pages"] = pages

    def page(self, page: Page, shot: Snapshot) -> str:
        """Return the whole page."""
        return self.text(f"{page.name}.html", page=page, **self._facts(page, shot))

    def fragments(self, page: Page, shot: Snapshot) -> dict[str, str]:
        """Return the parts of the page that live, by id."""
        number, painted = self._painted.get(page.name, (-1, {}))
        if number != shot.number:
            facts = self._facts(page, shot)
            painted = {
                "status": self.text("status.html", **facts),
                **{name: self.text(f"{page.name}/{name}.html", **facts) for name in page.fragments},
            }
            self._painted[page.name] = (shot.number, painted)
        return painted

    def text(self, template: str, **facts: object) -> str:
        """Return a template filled with facts."""
        return self._templates.get_template(template).render(facts)

    def _facts(self, page: Page, shot: Snapshot) -> dict[str, object]:
        view = page.view(shot, now_ns(), self._house)
        return {"view": view, **page.more(view)}


def watch_of(request: Request) -> Watch:
    """Return the one watch of this application."""
    found: Watch = request.app.state.watch
    return found


Watching = Annotated[Watch, Depends(watch_of)]


def mount(app: FastAPI, page: Page, painter: Painter, house: House) -> None:
    """Give a page its three routes: `<path>`, `/api/v1/<name>` and `/live/<name>`."""

    async def show(watch: Watching) -> HTMLResponse:
        return HTMLResponse(painter.page(page, watch.snapshot), headers={"cache-control": "no-store"})

    async def answer(watch: Watching) -> Any:  # noqa: ANN401  page.model is its type
        return page.view(watch.snapshot, now_ns(), house)

    async def live(watch: Watching) -> AsyncIterator[ServerSentEvent]:
        sent: dict[str, str] = {}
        shot: Snapshot | None = watch.snapshot
        while shot is not None:
            painted = painter.fragments(page, shot)
            changed = {name: html for name, html in painted.items() if sent.get(name) != html}
            yield ServerSentEvent(raw_data=msgspec.json.encode(changed).decode(), event="fragments", retry=RETRY_MS)
            sent = painted
            shot = await watch.newer_than(shot.number)

    app.get(page.path, include_in_schema=False, name=page.name)(show)
    app.get(f"/api/v1/{page.name}", response_model=page.model, tags=["pages"], summary=f"{page.title}, as JSON")(answer)
    app.get(f"/live/{page.name}", response_class=EventSourceResponse, include_in_schema=False)(live)
