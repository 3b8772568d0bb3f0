"""tls_pipe by socat: two addresses for it, and its log in other words."""

import ctypes
import ipaddress
import os
import re
import signal
import subprocess
import sys

import options as settings

LINE = re.compile(r"^\S+ \S+ socat\[(\d+)\] (\w) (.*)")
LISTENS = re.compile(r"^listening on AF=\d+ (\S+):(\d+)$")
GONE = re.compile(r"^waitpid\(\): child (\d+) exited")
#: What tells how a connection ended: the first that some line of it has, with its severity.
SIGNS = [
    (re.compile(sign), word)
    for sign, word in (
        (r"^E connect\(", "unreachable"),
        (r"^[EW] .*reset by peer|^[EW] .*Broken pipe", "reset"),
        (r"^[EW] SSL_(accept|connect)\(|^[EWF] .*(certificate|commonname|common name)", "refused"),
        (r"^[EW] SSL_(read|write)", "broken"),
        (r"^E ", "broken"),
    )
]


def is_ip(text):
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def place(address):
    return f"[{address[0]}]" if ":" in address[0] else address[0], address[1]


def addresses(options):
    """The two words for socat."""
    tls = ["openssl-min-proto-version=TLS1.2", f"verify={int(bool(options.ca))}"]
    for word, value in (("cert", options.cert), ("key", options.key), ("cafile", options.ca), ("commonname", options.name)):
        if value:
            tls.append(f"{word}={value}")
    if options.role == "client" and is_ip(options.name):
        tls.append("no-sni=1")
    host, port = place(options.listen)
    come = [f"bind={host}", "reuseaddr", "nodelay", "backlog=128", "pf=ip6" if ":" in host else "pf=ip4"]
    if not options.once:
        come.append("fork")
    where = "{}:{}".format(*place(options.target))
    go = ["connect-timeout=%d" % settings.PATIENCE, "nodelay"]
    if options.role == "server":
        return [",".join([f"OPENSSL-LISTEN:{port}", *come, *tls]), ",".join([f"TCP:{where}", *go])]
    return [",".join([f"TCP-LISTEN:{port}", *come]), ",".join([f"OPENSSL:{where}", *go, *tls])]


def word_for(lines):
    return next((word for sign, word in SIGNS if any(sign.match(line) for line in lines)), "closed")


def end_with_parent():
    """Ask Linux for it: in its own session, socat would outlive a wrapper that is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Wrapper:
    def __init__(self, options):
        self.options = options
        self.talk = {}  # process -> its lines
        self.listens = self.told = False

    def run(self):
        command = ["socat", "-d", "-d", "-d", "-t", "60", *addresses(self.options)]
        socat = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        signal.signal(signal.SIGTERM, lambda *_: self.stop(socat))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for line in socat.stderr:
            print(line, end="", file=sys.stderr, flush=True)
            if found := LINE.match(line):
                self.hear(int(found[1]), found[2], found[3])
        socat.wait()
        if self.told or not self.listens:
            return 0 if self.listens else 3
        return self.over(socat.pid)

    def stop(self, socat):
        self.told = True
        try:
            os.killpg(socat.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def hear(self, who, severity, words):
        if where := LISTENS.match(words):
            if not self.listens:
                self.listens = True
                host = ipaddress.ip_address(where[1].strip("[]"))
                print(f"listening on {f'[{host}]' if host.version == 6 else host}:{where[2]}", flush=True)
        elif gone := GONE.match(words):
            self.over(int(gone[1]))
        else:
            self.talk.setdefault(who, []).append(f"{severity} {words}")

    def over(self, who):
        word = word_for(self.talk.pop(who, ()))
        settings.say(word)
        return settings.STATUS[word]


if __name__ == "__main__":
    chosen = settings.from_command_line()
    if chosen.alpn:
        print("tls_pipe: socat knows no --alpn", file=sys.stderr)
        sys.exit(2)
    sys.exit(Wrapper(chosen).run())
