"""tls_pipe by stunnel: a configuration for it, and its log in other words."""

import ipaddress
import math
import os
import re
import signal
import subprocess
import sys
import tempfile

import options as settings

LINE = re.compile(r"^\S+ \S+ LOG\d\[([^]]*)\]: (.*)")
BOUND = re.compile(r"Service \[pipe\] \(FD=\d+\) bound to (\S+):(\d+)$")
#: What tells how a connection ended: the first that some line of it has.
SIGNS = [
    (re.compile(sign), word)
    for sign, word in (
        (r"^No more addresses to connect", "unreachable"),
        (r"^ssl_start: s_poll_wait: TIMEOUTbusy", "timeout"),
        (r"^SSL_(accept|connect): .*reset by peer", "reset"),
        (r"^SSL_(accept|connect): .*(unexpected eof|Peer suddenly disconnected)", "truncated"),
        (r"^(SSL_(accept|connect):|CERT: .*failed|Rejected by)", "refused"),
        (r"^SSL_(read|write|shutdown): .*error:", "broken"),
        (r"^(TLS|socket) fd: |^(read|write)socket: ", "reset"),
        (r"^TLS socket closed", "truncated"),  # it passes that on as an end
        (r"^Connection closed: ", "closed"),
        (r"^Connection reset: ", "reset"),
    )
]


def configuration(options, port):
    host = options.listen[0]
    lines = [
        "foreground = yes",
        "pid =",
        "debug = 7",
        "syslog = no",
        "[pipe]",
        f"accept = {host}:{port}",
        "connect = {}:{}".format(*options.target),
        "sslVersionMin = TLSv1.2",
        "renegotiation = no",
        "TIMEOUTbusy = %d" % math.ceil(options.timeout),
        "TIMEOUTclose = 3600",  # half a connection may be silent for as long as a whole one
        "TIMEOUTconnect = %d" % settings.PATIENCE,
        "socket = l:TCP_NODELAY=1",
        "socket = r:TCP_NODELAY=1",
    ]
    if options.cert:
        lines += [f"cert = {os.path.abspath(options.cert)}", f"key = {os.path.abspath(options.key)}"]
    if options.ca:
        lines += [f"CAfile = {os.path.abspath(options.ca)}", "verifyChain = yes", "requireCert = yes"]
    if options.name:
        lines.append(f"{'checkIP' if is_ip(options.name) else 'checkHost'} = {options.name}")
    if options.role == "client":
        lines += ["client = yes", f"sni = {'' if is_ip(options.name) else options.name}"]
    return "\n".join(lines) + "\n"


def is_ip(text):
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def word_for(lines):
    return next((word for sign, word in SIGNS if any(sign.match(line) for line in lines)), "broken")


class Wrapper:
    def __init__(self, options):
        self.options = options
        self.path = ""
        self.talk = {}  # connection -> its lines
        self.status = 3  # until it listens

    def run(self):
        with tempfile.TemporaryDirectory() as folder:
            self.path = os.path.join(folder, "stunnel.conf")
            self.configure(self.options.listen[1])
            stunnel = subprocess.Popen(
                ["stunnel", self.path], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
            )
            signal.signal(signal.SIGTERM, lambda *_: stunnel.kill())
            signal.signal(signal.SIGHUP, lambda *_: stunnel.send_signal(signal.SIGHUP))
            for line in stunnel.stderr:
                if self.hear(line.rstrip()):
                    stunnel.kill()
                    break
            stunnel.wait()
        return self.status

    def configure(self, port):
        with open(self.path, "w") as file:
            file.write(configuration(self.options, port))

    def hear(self, line):
        """Whether this was all."""
        print(line, file=sys.stderr, flush=True)
        found = LINE.match(line)
        if not found:
            return False
        who, words = found.groups()
        where = BOUND.match(words)
        if where and self.status:
            self.configure(where[2])  # it reads this again when told to read the certificates again
            host = where[1].strip("[]")
            self.status = 0
            print(f"listening on {f'[{host}]' if ':' in host else host}:{where[2]}", flush=True)
        if not who.isdigit():
            return False
        lines = self.talk.setdefault(who, [])
        lines.append(words)
        if words.startswith("Service [pipe] finished"):
            word = word_for(self.talk.pop(who))
            settings.say(word)
            if self.options.once:
                self.status = settings.STATUS[word]
                return True
        return False


if __name__ == "__main__":
    chosen = settings.from_command_line()
    if chosen.alpn:
        print("tls_pipe: stunnel knows no --alpn", file=sys.stderr)
        sys.exit(2)
    sys.exit(Wrapper(chosen).run())
