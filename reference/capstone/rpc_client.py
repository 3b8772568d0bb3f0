"""rpc_client ADDRESS METHOD [ARGUMENT...]: one JSON-RPC call; its result is printed as a line of JSON."""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

import program
from addresses import Address, parse_address
from jsonrpc import Lines, request, result


def argument(text: str) -> Any:
    """An argument as it is typed: JSON. Raises ValueError, which argparse understands."""
    return json.loads(text)


def call(address: Address, method: str, arguments: list[Any]) -> Any:
    """Call, and wait for the answer; every end but a result is a SystemExit with its status."""
    ### BEGIN SOLUTION: stage 2: connect, ask, and read until there is a line, or the end
    try:
        sock = socket.create_connection((address.host, address.port))
    except OSError as error:
        program.fail(program.CANNOT_CONNECT, f"{address}: {error.strerror}")
    try:
        with sock:
            sock.sendall(request(1, method, arguments))
            lines, whole = Lines(), []
            while not whole and (data := sock.recv(65536)):
                whole = lines.feed(data)
        if not whole:
            program.fail(program.NO_ANSWER, "the server ended without an answer")
        found, error = result(whole[0], 1)
    except (OSError, ValueError, RecursionError) as broken:
        program.fail(program.NO_ANSWER, broken)
    if error:
        program.fail(program.ERROR, error)
    return found
    ### END SOLUTION


if __name__ == "__main__":
    parser = program.CommandLine("One JSON-RPC call.")
    parser.add_argument("address", type=parse_address, help="HOST:PORT or [V6]:PORT")
    parser.add_argument("method", help="sum, reverse")
    parser.add_argument("arguments", nargs="*", type=argument, help="each of them JSON")
    options = parser.parse_args()
    print(json.dumps(call(options.address, options.method, options.arguments)), flush=True)
    sys.exit(0)
