import json
import selectors
import socket
import sys
import time
import zlib

import program
from addresses import parse_address

line = program.CommandLine("Read what many servers say.")
line.add_argument("addresses", nargs="+", type=lambda text: (text, parse_address(text)))
line.add_argument("--deadline", type=program.seconds, default=10.0)
options = line.parse_args()
if any(address.kind == "udp" for _, address in options.addresses):
    line.error("no datagrams here")

end = time.monotonic() + options.deadline
selector = selectors.DefaultSelector()
all_ok = True


def report(state, result):
    global all_ok
    all_ok = all_ok and result == "ok"
    row = {"address": state["address"], "result": result, "bytes": state["bytes"], "crc32": state["crc32"]}
    print(json.dumps(row), flush=True)


def finish(sock, state, result):
    selector.unregister(sock)
    sock.close()
    report(state, result)


for text, address in options.addresses:
    state = {"address": text, "bytes": 0, "crc32": 0, "connected": False}
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        sock.connect(address.target)
    except BlockingIOError:
        pass
    except OSError as error:
        sock.close()
        report(state, "refused" if isinstance(error, ConnectionRefusedError) else "error")
        continue
    selector.register(sock, selectors.EVENT_WRITE, state)

while selector.get_map():
    left = end - time.monotonic()
    if left <= 0:
        for key in list(selector.get_map().values()):
            finish(key.fileobj, key.data, "timeout")
        break
    for key, _ in selector.select(left):
        sock, state = key.fileobj, key.data
        try:
            if not state["connected"]:
                error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, "connect")
                state["connected"] = True
                selector.modify(sock, selectors.EVENT_READ, state)
                continue
            data = sock.recv(32768)
        except BlockingIOError:
            continue
        except ConnectionRefusedError:
            finish(sock, state, "refused")
        except ConnectionResetError:
            finish(sock, state, "reset")
        except OSError:
            finish(sock, state, "error")
        else:
            if data:
                state["bytes"] += len(data)
                state["crc32"] = zlib.crc32(data, state["crc32"])
            else:
                finish(sock, state, "ok")

sys.exit(0 if all_ok else program.NOT_ALL)
