"""/do/ACTION: first the look, then, with what it told and a token of this page, the deed; each is written down."""

import itertools
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from common.errors import StoreRefused, Unreachable
from common.log import logger
from common.redis_streams import RedisError
from monitoring.access import Viewer, viewer_of
from monitoring.actions.action import Action, Tools
from monitoring.actions.forms import Form, Tokens, TooLarge, form_of, is_from_here, query_of
from monitoring.doing.deeds import Deed, NotDone, Who, do
from monitoring.painter import Painter

MOST_KEPT = 200  # outcomes that can be looked at again
SEE_OTHER, FORBIDDEN, CONFLICT, TOO_LARGE, UNAVAILABLE = 303, 403, 409, 413, 503

log = logger("actions")
FAULTS = (RedisError, OSError, Unreachable, StoreRefused)


@dataclass(frozen=True)
class Outcome:
    """How an action ended, for the page behind it."""

    action: Action
    deed: Deed
    after: str


class Actions:
    """The pages of all actions, and how the last of them ended."""

    def __init__(self, tools: Tools, painter: Painter) -> None:
        self._tools = tools
        self._painter = painter
        self._tokens = Tokens()
        self._outcomes: OrderedDict[int, Outcome] = OrderedDict()
        self._numbers = itertools.count(1)

    async def show(self, action: Action, request: Request) -> Response:
        """Return the page that says what an action would do."""
        return await self._page(action, request, action.given(query_of(request)))

    async def act(self, action: Action, request: Request) -> Response:
        """Do it, if the form was confirmed; else return the page that says what it would do."""
        viewer = viewer_of(request)
        try:
            form = await form_of(request)
        except TooLarge:
            return PlainTextResponse("this form is larger than any of ours\n", status_code=TOO_LARGE)
        if refusal := self._refusal(action, request, viewer, form):
            log.warning("actions.refused", action=action.name, who=viewer.name, reason=refusal)
            return PlainTextResponse(f"{refusal}\n", status_code=FORBIDDEN)
        given = action.given(form)
        if form.get("confirm") != "yes" or not action.is_ready(given):
            return await self._page(action, request, given)
        try:
            number = await self._do(action, given, form.get("typed", ""), who_of(request))
        except NotDone as error:
            return await self._page(action, request, given, problem=str(error), status=CONFLICT)
        except FAULTS as error:
            problem = f"not done, or not all of it: {error}; it may be tried again"
            return await self._page(action, request, given, problem=problem, status=UNAVAILABLE)
        return RedirectResponse(f"/done/{number}", status_code=SEE_OTHER)

    def done(self, number: int) -> Response:
        """Return how an action ended."""
        return HTMLResponse(self._painter.text("actions/done.html", outcome=self._outcomes.get(number)))

    async def _do(self, action: Action, given: Form, typed: str, who: Who) -> int:
        deed = await action.look(self._tools, given, who)
        if deed.typed and typed.strip() != deed.typed:
            raise NotDone(f"expected {deed.typed} to be typed, found {typed.strip()[:80]!r}")
        after = await do(self._tools.desk.redis, deed, who)
        number = next(self._numbers)
        self._outcomes[number] = Outcome(action, deed, after)
        while len(self._outcomes) > MOST_KEPT:
            self._outcomes.popitem(last=False)
        return number

    def _refusal(self, action: Action, request: Request, viewer: Viewer, form: Form) -> str:
        if viewer.role != "operator":
            return "you may look, not act: that needs DASHBOARD_PASSWORD"
        if not is_from_here(request):
            return "this form did not come from a page of this dashboard"
        if not self._tokens.fits(viewer, action.name, form.get("token", "")):
            return "this form is older than the dashboard: load the page again"
        return ""

    async def _page(
        self, action: Action, request: Request, given: Form, *, problem: str = "", status: int = 200
    ) -> Response:
        viewer = viewer_of(request)
        deed: Deed | None = None
        try:
            if action.is_ready(given):
                deed = await action.look(self._tools, given, who_of(request))
        except NotDone as error:
            problem, status = problem or str(error), max(status, CONFLICT)
        except FAULTS as error:
            problem, status = problem or f"could not be looked into: {error}", UNAVAILABLE
        facts: dict[str, Any] = {
            "action": action,
            "deed": deed,
            "given": given,
            "again": {**given, **dict(deed.carries if deed else ())},
            "problem": problem,
            "is_operator": viewer.role == "operator",
            "token": self._tokens.of(viewer, action.name) if viewer.role == "operator" else "",
        }
        headers = {"cache-control": "no-store"}
        return HTMLResponse(self._painter.text("actions/act.html", **facts), status_code=status, headers=headers)


def who_of(request: Request) -> Who:
    """Return who asks, and from where."""
    address = request.client.host if request.client else "a socket"
    return Who(viewer_of(request).name, f"dashboard, {address}")


def mount_actions(app: FastAPI, tools: Tools, painter: Painter, every: tuple[Action, ...]) -> None:
    """Add the pages of all actions."""
    actions = Actions(tools, painter)
    for action in every:
        _mount(app, actions, action)

    async def done(number: int) -> Response:
        return actions.done(number)

    app.get("/done/{number}", include_in_schema=False)(done)


def _mount(app: FastAPI, actions: Actions, action: Action) -> None:
    async def show(request: Request) -> Response:
        return await actions.show(action, request)

    async def act(request: Request) -> Response:
        return await actions.act(action, request)

    app.get(f"/do/{action.name}", include_in_schema=False)(show)
    app.post(f"/do/{action.name}", include_in_schema=False)(act)
