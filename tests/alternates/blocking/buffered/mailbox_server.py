import re
import threading

from net import MAX, Broken, Usage, listening, pack, parse, part, read_frame, run

REQUEST = re.compile(rb"(put) ([\w.-]{1,64})\n(.*)|(get) ([\w.-]{1,64})\n|(list)\n|(whoami)\n", re.DOTALL | re.ASCII)


class Mailbox:
    def __init__(self):
        self.lock = threading.Lock()
        self.messages = {}

    def answer(self, body, sock):
        found = REQUEST.fullmatch(body)
        if not found:
            return b"error what?\n"
        command = next(word for word in found.group(1, 4, 6, 7) if word)
        if command == b"whoami":
            return b"ok\n" + whoami(sock)
        with self.lock:
            if command == b"put":
                self.messages[found[2]] = found[3]
                return b"ok\n"
            if command == b"get":
                message = self.messages.get(found[5])
                return b"error no such message\n" if message is None else b"ok\n" + message
            names = b"ok\n" + b"".join(name + b"\n" for name in sorted(self.messages))
            return names if len(names) <= MAX else b"error too long\n"


def whoami(sock):
    peer, here = sock.getpeername(), sock.getsockname()
    if isinstance(here, str):
        return b"unix\n"
    return f"tcp {peer[0]} {peer[1]} {here[0]} {here[1]}\n".encode()


def talk(sock, box, idle, seats):
    try:
        sock.settimeout(idle)
        stream = sock.makefile("rb")
        while (body := read_frame(stream)) is not None:
            data = memoryview(pack(box.answer(body, sock)))
            while data:
                data = data[sock.send(data) :]
    except OverflowError:
        sock.sendall(pack(b"error too long\n"))
    except (OSError, Broken):
        pass
    finally:
        stream.close()
        part(sock)
        seats.release()


def options(words):
    found = {"--max-clients": 100, "--idle": 60.0}
    if not words or len(words) % 2 == 0:
        raise Usage("usage: mailbox_server ADDRESS [--max-clients N] [--idle S]")
    for name, value in zip(words[1::2], words[2::2]):
        try:
            found[name] = type(found[name])(value)
        except (KeyError, ValueError):
            raise Usage(f"{name} {value}?") from None
        if not found[name] > 0:
            raise Usage(f"{name} has to be positive")
    return found["--max-clients"], found["--idle"]


def main(words):
    most, idle = options(words)
    if parse(words[0])[0] == "udp":
        raise Usage("not over UDP")
    box, seats = Mailbox(), threading.Semaphore(most)
    with listening(words[0]) as listener:
        while True:
            seats.acquire()
            try:
                sock, _ = listener.accept()
            except ConnectionError:
                seats.release()
                continue
            threading.Thread(target=talk, args=(sock, box, idle, seats), daemon=True).start()


run(main)
