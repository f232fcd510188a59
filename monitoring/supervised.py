"""What Supervisor knows of the programs that it runs, asked over the socket that it names to its children."""

import http.client
import xmlrpc.client
from dataclasses import dataclass
from typing import Any

from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-untyped]  # Supervisor has no types


@dataclass(frozen=True)
class Supervised:
    """
    A process as Supervisor sees it: RUNNING, STARTING, BACKOFF, STOPPED, EXITED, FATAL; `why` where it ended ill.

    `full_name` is what `supervisorctl` wants to hear.
    """

    name: str
    full_name: str
    state: str
    pid: int | None
    exit_status: int | None
    why: str


def supervised(address: str) -> dict[str, Supervised]:
    """Return every process of a Supervisor, by name; raise OSError where it does not answer."""
    found: list[dict[str, Any]] = ask_supervisor(address, "getAllProcessInfo")
    return {
        str(one["name"]): Supervised(
            name=str(one["name"]),
            full_name=str(one["name"] if one["group"] == one["name"] else f"{one['group']}:{one['name']}"),
            state=str(one["statename"]),
            pid=one["pid"] or None,
            exit_status=one["exitstatus"] if one["statename"] == "EXITED" else None,  # the others: 0, which is none
            why=str(one["spawnerr"]),
        )
        for one in found
    }


def ask_supervisor(address: str, method: str, *arguments: Any) -> Any:  # noqa: ANN401  what it says has no types
    """Return what a Supervisor answers; raise OSError where it does not, or refuses."""
    if not address:
        raise OSError("this dashboard was not started by Supervisor")
    transport = SupervisorTransport(None, None, address)
    try:
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)
    except xmlrpc.client.Fault as fault:
        raise OSError(f"Supervisor: {fault.faultString}") from fault
    except (xmlrpc.client.Error, http.client.HTTPException) as error:
        raise OSError(f"Supervisor: {error}") from error
