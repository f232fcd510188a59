"""What an operator may do to dead letters from the browser: put them back or drop them, after a look at which."""

import secrets
from collections import Counter
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from common.errors import Unreachable
from common.redis_streams import RedisError
from common.settling import drop, redrive
from monitoring.desk import Desk
from monitoring.painter import Painter
from monitoring.views.letters_reading import MOST_SETTLED, Given, chosen

ACTIONS = {"redrive": redrive, "drop": drop}
MOST_BYTES = 16_384
Form = dict[str, str]


async def form_of(request: Request) -> Form:
    """Return the fields of a form, each once; what is larger than ours is none of ours."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            return {}
    return {name: values[0] for name, values in parse_qs(bytes(body).decode(errors="replace")).items()}


def is_from_here(request: Request) -> bool:
    """Return whether a browser says that the form stood on a page of ours."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    # An older browser; ours tell no Origin to forms, because of our Referrer-Policy.
    return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host", "")


def mount_settling(app: FastAPI, desk: Desk, painter: Painter) -> None:
    """
    Add POST /dead-letters: first the preview, then, with `confirm`, the deed.

    Only where DASHBOARD_PASSWORD is set: whoever knows it is an operator. Without it the page shows the commands.
    """
    is_operated = desk.settings.dashboard_password is not None
    token = secrets.token_urlsafe(24)
    painter.know(operator_token=token if is_operated else "")

    async def settle(request: Request, form: Annotated[Form, Depends(form_of)]) -> Response:
        refusal = _refusal(request, form, token if is_operated else "")
        if refusal:
            return PlainTextResponse(f"{refusal}\n", status_code=403)
        given = Given(id=form.get("id", ""), kind=form.get("kind", ""))
        try:
            letters = await chosen(desk, given)
            if form.get("confirm") != "yes":
                where = Counter(letter.stream or "not from a stream" for letter in letters)
                facts = {"letters": letters, "where": where, "most": MOST_SETTLED}
                return HTMLResponse(painter.text("settle.html", form=form, outcomes=None, **facts))
            outcomes = Counter([await ACTIONS[form["action"]](desk.redis, letter) for letter in letters])
        except (RedisError, OSError, Unreachable) as error:
            return PlainTextResponse(f"not done, or not all of it: {error}; it may be tried again\n", status_code=503)
        return HTMLResponse(
            painter.text("settle.html", form=form, outcomes=outcomes, letters=letters, where={}, most=0)
        )

    app.post("/dead-letters", include_in_schema=False)(settle)


def _refusal(request: Request, form: Form, token: str) -> str:
    if not token:
        return "set DASHBOARD_PASSWORD to act from here; ./fleet dlq does the same at a prompt"
    if not is_from_here(request):
        return "this form did not come from a page of this dashboard"
    if not secrets.compare_digest(form.get("token", "").encode(), token.encode()):
        return "this form is older than the dashboard: load the page again"
    if form.get("action") not in ACTIONS:
        return "expected redrive or drop"
    return "" if form.get("id") or form.get("kind") else "expected letters: one, or those of one reason"
