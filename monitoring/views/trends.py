"""/api/v1/trends: key figures over time, from what the dashboard remembers; the charts of the pages draw it."""

from typing import Annotated, Literal

from fastapi import FastAPI, Query

from monitoring.past import Past, Trends
from monitoring.ranges import Range

Kind = Literal["lag_s", "lag", "in", "stream", "rows", "memory"]


def mount_trends(app: FastAPI, past: Past) -> None:
    """Add GET /api/v1/trends."""

    async def trends(
        of: Annotated[Kind, Query()] = "lag_s",
        range: Annotated[Range, Query()] = "15m",  # noqa: A002  its name in addresses
        only: Annotated[str, Query(max_length=200)] = "",
    ) -> Trends:
        return past.trends(of, range, only)

    app.get("/api/v1/trends", tags=["pages"], summary="Key figures over time: the highest eight lines")(trends)
