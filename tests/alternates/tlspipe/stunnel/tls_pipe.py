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
#: What tells how a connection ended; the first that some line of it has.
SIGNS = ()


def configuration(options):
    host, port = options.listen
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
    for sign, word in SIGNS:
        if any(sign in line for line in lines):
            return word
    return "broken"


class Wrapper:
    def __init__(self, options):
        self.options = options
        self.talk = {}  # connection -> its lines
        self.status = 0
        self.told = False

    def run(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "stunnel.conf")
            with open(path, "w") as file:
                file.write(configuration(self.options))
            stunnel = subprocess.Popen(["stunnel", path], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
            signal.signal(signal.SIGTERM, lambda *_: self.stop(stunnel))
            signal.signal(signal.SIGHUP, lambda *_: stunnel.send_signal(signal.SIGHUP))
            for line in stunnel.stderr:
                if self.hear(line.rstrip()):
                    stunnel.kill()
                    break
            stunnel.wait()
        return self.status

    def stop(self, stunnel):
        stunnel.kill()
        self.told = True

    def hear(self, line):
        """Whether this was all."""
        print(line, file=sys.stderr, flush=True)
        found = LINE.match(line)
        if not found:
            return False
        who, words = found.groups()
        if where := BOUND.match(words):
            host = where[1].strip("[]")
            print(f"listening on {f'[{host}]' if ':' in host else host}:{where[2]}", flush=True)
        if "Binding service [pipe] failed" in words:
            self.status = 3
            return True
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
    sys.exit(Wrapper(settings.from_command_line()).run())
