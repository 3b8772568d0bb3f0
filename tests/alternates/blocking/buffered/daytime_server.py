from datetime import datetime, timezone

from net import Usage, listening, parse, part, run


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ\r\n").encode()


def streams(listener):
    while True:
        try:
            sock, _ = listener.accept()
            sock.send(now())
        except OSError:
            continue
        part(sock)


def datagrams(sock):
    while True:
        try:
            sock.sendto(now(), sock.recvfrom(1)[1])
        except OSError:
            pass


def main(words):
    if len(words) != 1:
        raise Usage("usage: daytime_server ADDRESS")
    with listening(words[0]) as sock:
        if parse(words[0])[0] == "udp":
            datagrams(sock)
        else:
            streams(sock)


run(main)
