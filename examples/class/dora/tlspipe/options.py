"""The command line of tls_pipe and its files, read the same way by every one of these programs."""

import argparse
import ipaddress
import os
import socket
import ssl
import stat
import struct
import sys

STATUS = {
    "closed": 0, "truncated": 4, "reset": 4, "refused": 4, "broken": 4, "timeout": 5, "unreachable": 3,
}
PATIENCE = 10.0  # for a connection to be made
LINGER = 5.0
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: close() is a reset
PROPERLY = struct.pack("ii", 0, 0)


class Unfit(Exception):
    """A file, or a word, that cannot be used."""


class OneLine(argparse.ArgumentParser):
    def error(self, message):
        raise Unfit(message)


def address(text):
    host, colon, port = text.rpartition(":")
    six = host.startswith("[") and host.endswith("]")
    try:
        ip = ipaddress.ip_address(host[1:-1] if six else host)
        if not colon or (ip.version == 6) != six or not port.isdecimal() or int(port) > 65535:
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT") from None
    return str(ip), int(port)


def seconds(text):
    value = float(text)
    if not 0 < value < 1e6:
        raise ValueError(text)
    return value


def word(text):
    if not 0 < len(os.fsencode(text)) < 256:
        raise ValueError(text)
    return text


def read(words):
    """The options, with every file looked at once. Raises Unfit."""
    parser = OneLine(prog="tls_pipe", allow_abbrev=False)
    roles = parser.add_subparsers(dest="role", required=True)
    server, client = (roles.add_parser(role, allow_abbrev=False) for role in ("server", "client"))
    for role in (server, client):
        role.add_argument("--listen", type=address, required=True)
        role.add_argument("--alpn", type=word)
        role.add_argument("--handshake-timeout", type=seconds, default=PATIENCE, dest="timeout")
        role.add_argument("--once", action="store_true")
        role.add_argument("--cert", required=role is server)
        role.add_argument("--key", required=role is server)
    server.add_argument("--forward", type=address, required=True, dest="target")
    server.add_argument("--client-ca", dest="ca")
    server.add_argument("--client-name", type=word, dest="name")
    client.add_argument("--connect", type=address, required=True, dest="target")
    client.add_argument("--ca", required=True)
    client.add_argument("--name", type=word, required=True)
    options = parser.parse_args(words)
    if (options.cert is None) != (options.key is None):
        raise Unfit("--cert and --key go together")
    if options.role == "server" and options.name and not options.ca:
        raise Unfit("--client-name is of no use without --client-ca")
    options.context = context(options)
    return options


def from_command_line():
    try:
        return read(sys.argv[1:])
    except Unfit as why:
        print("tls_pipe:", " ".join(str(why).split()), file=sys.stderr)
        sys.exit(2)


def context(options):
    """A context of the files as they are now. Raises Unfit."""
    serves = options.role == "server"
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if serves else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    # Python 3.11.2 sets it: a FIN alone would read like a close_notify.
    made.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    if not serves:
        made.hostname_checks_common_name = False
    if options.alpn:
        made.set_alpn_protocols([options.alpn])
    what = options.cert
    try:
        if options.cert:
            what = f"{options.cert} and {options.key}"
            if os.name == "posix" and stat.S_IMODE(os.stat(options.key).st_mode) & 0o077:
                raise Unfit(f"{options.key}: others than its owner may read it (chmod 600)")
            made.load_cert_chain(options.cert, options.key, password=lambda: "")
        if options.ca:
            what = options.ca
            made.load_verify_locations(options.ca)
            made.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:
        raise Unfit(f"{what}: {error}") from None
    return made


def acceptable(options, tls):
    """Whether a peer whose certificates are right may come in: its name (server), the protocol (both)."""
    if options.alpn and tls.selected_alpn_protocol() != options.alpn:
        return False
    return options.role == "client" or options.name is None or holds(tls.getpeercert() or {}, options.name)


def holds(certificate, name):
    """Whether subjectAltName has that very name."""
    names = certificate.get("subjectAltName", ())
    try:
        wanted = ipaddress.ip_address(name)
    except ValueError:
        return any(kind == "DNS" and one.lower() == name.lower() for kind, one in names)
    for kind, one in names:
        try:
            if kind == "IP Address" and ipaddress.ip_address(one.strip()) == wanted:
                return True
        except ValueError:
            continue
    return False


def listen(options):
    """A listening socket, and its address in words. Exits with 3."""
    try:
        family = socket.AF_INET6 if ":" in options.listen[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(options.listen)
        sock.listen(1024)
    except OSError as error:
        print("tls_pipe: cannot listen:", error, file=sys.stderr)
        sys.exit(3)
    host, port = sock.getsockname()[:2]
    return sock, f"{'[' + host + ']' if ':' in host else host}:{port}"


def reset(sock):
    """Close with a reset, whatever is still to be sent."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    except OSError:
        pass
    sock.close()


def word_for(sock, error, other):
    """How it ended, by an SSLError of `sock`; `other` if it was neither cut nor reset.

    An SSLEOFError may be either: SSLSocket does not say what the kernel said.
    """
    if error.reason == "UNEXPECTED_EOF_WHILE_READING":  # since OpenSSL 3; of which class depends on Python
        return "truncated"
    if not isinstance(error, ssl.SSLEOFError):
        return other
    try:
        sock.getpeername()
    except OSError:
        return "reset"
    return "truncated"


def say(word, more=""):
    sys.stderr.write(f"ended: {word} {more}".rstrip() + "\n")
    sys.stderr.flush()
