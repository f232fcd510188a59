"""What a node of a chain answers over JSON-RPC, with the limits that public endpoints set."""

from dataclasses import dataclass
from typing import Any

import msgspec

from simulator.chain import Chain, ChainBlock

NETWORK = 137
MOST_CALLS = 1000
TOO_LARGE, NOT_FOUND, BAD_REQUEST = -32005, -32601, -32600


class Rejected(Exception):
    """A call is answered with an error. What next: the client reads the code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class Call(msgspec.Struct):
    """One call; other keys are ignored."""

    method: str
    id: int | str | None = None
    params: list[Any] = []


@dataclass(frozen=True)
class View:
    """What one node lets see: it may be some blocks behind, and sets limits of its own."""

    behind: int = 0
    most_blocks: int = 2000
    most_logs: int = 10_000
    takes_batches: bool = True


_CALLS = msgspec.json.Decoder(Call | list[Call])


class Node:
    """The answers over one chain."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def answer(self, body: bytes, view: View) -> bytes:
        """Return the body of the answer to a request."""
        try:
            calls = _CALLS.decode(body)
        except msgspec.MsgspecError as error:
            return msgspec.json.encode(_failed(None, -32700, f"parse error: {error}"))
        if isinstance(calls, Call):
            return msgspec.json.encode(self._reply(calls, view))
        if not view.takes_batches or not 0 < len(calls) <= MOST_CALLS:
            return msgspec.json.encode(_failed(None, BAD_REQUEST, "batch requests are not supported"))
        # A node need not answer in order.
        return msgspec.json.encode([self._reply(call, view) for call in reversed(calls)])

    def _reply(self, call: Call, view: View) -> dict[str, Any]:
        try:
            return {"jsonrpc": "2.0", "id": call.id, "result": self._result(call, view)}
        except Rejected as error:
            return _failed(call.id, error.code, error.message)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            return _failed(call.id, -32602, f"invalid params: {error}")

    def _result(self, call: Call, view: View) -> object:
        head = self._chain.head - view.behind
        match call.method:
            case "eth_blockNumber":
                return hex(head)
            case "eth_chainId":
                return hex(NETWORK)
            case "net_version":
                return str(NETWORK)
            case "eth_getBlockByNumber":
                block = self._chain.block(_number(call.params[0], head))
                return _header(block) if block and block.number <= head else None
            case "eth_getLogs":
                return self._logs(call.params[0], head, view)
            case other:
                raise Rejected(NOT_FOUND, f"the method {other} does not exist")

    def _logs(self, asked: dict[str, Any], head: int, view: View) -> list[dict[str, Any]]:
        first, last = _number(asked.get("fromBlock", "latest"), head), _number(asked.get("toBlock", "latest"), head)
        if last - first >= view.most_blocks:
            raise Rejected(TOO_LARGE, f"block range is too large, at most {view.most_blocks} blocks")
        addresses, topics = _words(asked.get("address")), _words((asked.get("topics") or [None])[0])
        # Blocks that the node does not have are left out without a word: so real ones do.
        found = [
            log
            for block in self._chain.between(first, min(last, head))
            for log in block.logs
            if (not addresses or log["address"] in addresses) and (not topics or log["topics"][0] in topics)
        ]
        if len(found) > view.most_logs:
            raise Rejected(TOO_LARGE, f"query returned more than {view.most_logs} results")
        return found


def failure(code: int, message: str) -> bytes:
    """Return an error in place of all answers."""
    return msgspec.json.encode(_failed(None, code, message))


def _header(block: ChainBlock) -> dict[str, object]:
    return {
        "number": hex(block.number),
        "hash": block.hash,
        "parentHash": block.parent,
        "timestamp": hex(block.timestamp),
        "transactions": sorted({log["transactionHash"] for log in block.logs}),
    }


def _number(text: str, head: int) -> int:
    if text in ("latest", "finalized", "safe"):
        return head
    return 0 if text == "earliest" else int(text, 16)


def _words(value: object) -> set[str]:
    if value is None:
        return set()
    return {value.lower()} if isinstance(value, str) else {word.lower() for word in value}  # type: ignore[attr-defined]


def _failed(number: int | str | None, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}
