"""/api/v1/trends: key figures over time, from what the dashboard remembers; the charts of the pages draw it."""

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import FastAPI, Query

from common.settings import Settings
from monitoring.alert_rules import MEMORY_FULL
from monitoring.pages import Watching
from monitoring.past import Past, Trends
from monitoring.ranges import Range
from monitoring.watch import Watch

Kind = Literal["lag_s", "lag", "in", "stream", "rows", "memory"]


def mount_trends(app: FastAPI, past: Past, settings: Settings) -> None:
    """Add GET /api/v1/trends."""

    async def trends(
        watch: Watching,
        of: Annotated[Kind, Query()] = "lag_s",
        range: Annotated[Range, Query()] = "15m",  # noqa: A002  its name in addresses
        only: Annotated[str, Query(max_length=200)] = "",
    ) -> Trends:
        return replace(past.trends(of, range, only), limit=_limit(of, watch, settings))

    app.get("/api/v1/trends", tags=["pages"], summary="Key figures over time: the highest eight lines")(trends)


def _limit(kind: Kind, watch: Watch, settings: Settings) -> float | None:
    """Return the value above which an alert begins."""
    redis = watch.snapshot.redis
    full = MEMORY_FULL * redis.max_bytes if redis and redis.max_bytes else None
    return {"lag_s": settings.alert_lag_s, "memory": full}.get(kind)
