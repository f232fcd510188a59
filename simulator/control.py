"""The simulator's own endpoints: order faults, read the ledger."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from simulator.faults import Fault, Faults
from simulator.ledger import Ledger
from simulator.web import json_response


def control_routes(faults: Faults, ledger: Ledger, venues: set[str]) -> list[BaseRoute]:
    """
    Return the endpoints.

    - POST /_control: one fault or a list of them; answers with their numbers.
    - GET /_control: the orders in force. DELETE /_control?number=N: end one order, or all.
    - GET /_ledger: what was published and sent; with ?ids=1 also every id.
    """

    async def order(request: Request) -> Response:
        try:
            asked = msgspec.json.decode(await request.body(), type=Fault | list[Fault])
        except msgspec.DecodeError as error:
            return _refused(str(error))
        orders = asked if isinstance(asked, list) else [asked]
        if unknown := {fault.venue for fault in orders} - venues:
            return _refused(f"expected a venue of {', '.join(sorted(venues))}, found {', '.join(sorted(unknown))}")
        return json_response(msgspec.json.encode({"numbers": [faults.order(fault).number for fault in orders]}))

    async def in_force(_request: Request) -> Response:
        return json_response(msgspec.json.encode([fault for fault in faults.orders if not fault.is_over]))

    async def clear(request: Request) -> Response:
        number = request.query_params.get("number", "")
        faults.clear(int(number) if number.isdigit() else None)
        return json_response(b"{}")

    async def page(request: Request) -> Response:
        return json_response(msgspec.json.encode(ledger.facts(ids="ids" in request.query_params)))

    return [
        Route("/_control", order, methods=["POST"]),
        Route("/_control", in_force, methods=["GET"]),
        Route("/_control", clear, methods=["DELETE"]),
        Route("/_ledger", page, methods=["GET"]),
    ]


def _refused(reason: str) -> Response:
    return json_response(msgspec.json.encode({"error": reason}), 422)
