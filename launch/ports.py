"""Tell whether a port is free, and if not, who has it."""

import socket
from pathlib import Path

LISTENING = "0A"  # https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html
PROC = Path("/proc")


def is_free(host: str, port: int) -> bool:
    """Return whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def holder(port: int) -> str:
    """Return `pid 812 (redis-server)`, or as much of it as this user may see."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    for pid in sorted(int(entry.name) for entry in PROC.glob("[0-9]*")):
        if any(link in sockets for link in _links(pid)):
            return f"pid {pid} ({_name(pid)})"
    return "a process of another user"


def free_range(length: int, start: int = 20_000, end: int = 32_000) -> int:
    """Return the first of `length` free ports in a row, below those that outgoing connections take."""
    for first in range(start, end - length, length):
        if all(is_free("127.0.0.1", port) for port in range(first, first + length)):
            return first
    return 0


def _inodes(port: int) -> set[str]:
    wanted = f":{port:04X}"
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            rows = (PROC / "net" / table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, rows):
            if fields[1].endswith(wanted) and fields[3] == LISTENING:
                found.add(fields[9])
    return found


def _links(pid: int) -> list[str]:
    try:
        return [str(link.readlink()) for link in (PROC / str(pid) / "fd").iterdir()]
    except OSError:
        return []


def _name(pid: int) -> str:
    try:
        return (PROC / str(pid) / "comm").read_text(encoding="utf-8").strip()
    except OSError:
        return "unknown"
