import select
import signal
import socket
import ssl
import sys

import program
from addresses import parse_address

SIZE = 16384


def main():
    options = arguments()
    try:
        context = make_context(options)
    except OSError as error:
        program.fail(2, f"{options.cert}, {options.key}: {error}")
    listener = socket.socket(options.listen.family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(options.listen.target)
    except OSError as error:
        program.fail(3, error)
    listener.listen(100)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    program.announce(options.listen.bound_as(listener))
    other = {}
    while True:
        readable, _, _ = select.select([listener, *other], [], [])
        for sock in readable:
            if sock is listener:
                accept(listener, other, context, options)
                continue
            if sock not in other:
                continue
            try:
                sock.setblocking(False)
                data = sock.recv(SIZE)
                if data:
                    other[sock].setblocking(True)
                    other[sock].sendall(data)
                    continue
                word = "closed"
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                word = "broken"
            except OSError:
                word = "reset"
            end(sock, other, word)
            if options.once:
                return 0


def accept(listener, other, context, options):
    plain, _ = listener.accept()
    try:
        there = socket.create_connection(options.target.target[:2], timeout=10)
        there.settimeout(None)
        if options.role == "client":
            other_side = context.wrap_socket(there, server_hostname=options.name)
        else:
            plain, other_side = context.wrap_socket(plain, server_side=True), there
    except OSError as error:
        program.say(f"ended: refused {error}")
        plain.close()
        return
    other[plain], other[other_side] = other_side, plain


def end(sock, other, word):
    partner = other.pop(sock)
    del other[partner]
    for one in (sock, partner):
        if isinstance(one, ssl.SSLSocket):
            try:
                one.settimeout(1)
                one.unwrap()
            except OSError:
                pass
        one.close()
    program.say(f"ended: {word}")


def make_context(options):
    if options.role == "server":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
        if options.client_ca:
            context.load_verify_locations(options.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # or it says "Hostname mismatch"
        context.verify_mode = ssl.CERT_NONE
        if options.cert:
            context.load_cert_chain(options.cert, options.key)
    if options.alpn:
        context.set_alpn_protocols([options.alpn])
    return context


def arguments():
    parser = program.CommandLine()
    roles = parser.add_subparsers(dest="role", required=True)
    server = roles.add_parser("server")
    client = roles.add_parser("client")
    server.add_argument("--forward", dest="target", type=parse_address, required=True)
    client.add_argument("--connect", dest="target", type=parse_address, required=True)
    client.add_argument("--ca", required=True)
    client.add_argument("--name", required=True)
    server.add_argument("--client-ca")
    server.add_argument("--client-name")
    for role in (server, client):
        role.add_argument("--listen", type=parse_address, required=True)
        role.add_argument("--cert", required=role is server)
        role.add_argument("--key", required=role is server)
        role.add_argument("--alpn")
        role.add_argument("--handshake-timeout", type=float, default=10)
        role.add_argument("--once", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
