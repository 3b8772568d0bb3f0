import json
import socket
import sys
import time
import zlib

import program
from addresses import parse_address

line = program.CommandLine("Read what many servers say.")
line.add_argument("addresses", nargs="+", type=parse_address)
line.add_argument("--deadline", type=program.seconds, default=10.0)
options = line.parse_args()
end = time.time() + options.deadline
status = 0
for address in options.addresses:
    data, result = b"", "ok"
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    sock.settimeout(max(0.01, end - time.time()))
    try:
        sock.connect(address.target)
        while piece := sock.recv(4096):
            data += piece
            sock.settimeout(max(0.01, end - time.time()))
    except ConnectionRefusedError:
        result = "refused"
    except ConnectionResetError:
        result = "reset"
    except TimeoutError:
        result = "timeout"
    except OSError:
        result = "error"
    sock.close()
    if result != "ok":
        status = program.NOT_ALL
    print(json.dumps({"address": str(address), "result": result, "bytes": len(data), "crc32": zlib.crc32(data)}), flush=True)
sys.exit(status)
