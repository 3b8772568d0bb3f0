"""mailbox_server as a pool: N workers, made at the start, all waiting in accept() on the same socket.

Chatters on standard error, since that is allowed. The rest of the programs are the reference's.
"""

import queue
import struct
import sys
import threading

import program
import sockets
from addresses import parse_address
from framing import LIMIT, BadFrame, TooLong, receive_frame
from messages import BadRequest, parse_request


class Keeper(threading.Thread):
    """The only thread that ever sees the messages; the others send it questions, each with a queue for the answer."""

    def __init__(self):
        super().__init__(daemon=True)
        self.questions = queue.SimpleQueue()
        self.messages = {}

    def run(self):
        while True:
            request, answers = self.questions.get()
            answers.put(self.answer(request))

    def answer(self, request):
        if request.command == "put":
            self.messages[request.name] = request.content
            return b"ok\n"
        if request.command == "get":
            message = self.messages.get(request.name)
            return b"error nothing of that name\n" if message is None else b"ok\n" + message
        reply = b"ok\n" + b"".join(name.encode() + b"\n" for name in sorted(self.messages))
        return reply if len(reply) <= LIMIT else b"error too long\n"

    def ask(self, request):
        answers = queue.SimpleQueue()
        self.questions.put((request, answers))
        return answers.get()


def reply_to(body, sock, keeper):
    try:
        request = parse_request(body)
    except BadRequest:
        return b"error cannot make sense of this\n"
    if request.command != "whoami":
        return keeper.ask(request)
    if isinstance(sock.getsockname(), str):
        return b"ok\nunix\n"
    (client, its_port), (here, port) = sock.getpeername()[:2], sock.getsockname()[:2]
    return f"ok\ntcp {client} {its_port} {here} {port}\n".encode()


def work(listener, keeper, idle):
    while True:
        try:
            sock, _ = listener.accept()
        except OSError as error:
            print("accept:", error, file=sys.stderr)
            continue
        print("somebody came", file=sys.stderr, flush=True)
        try:
            sock.settimeout(idle)
            while (body := receive_frame(sock)) is not None:
                reply = reply_to(body, sock, keeper)
                sock.settimeout(None)
                sock.sendall(struct.pack(">L", len(reply)) + reply)
                sock.settimeout(idle)
        except TooLong:
            sock.sendall(b"\0\0\0\x0ferror too long\n")
        except (BadFrame, OSError) as error:
            print("left:", repr(error), file=sys.stderr, flush=True)
        sockets.close_gently(sock)


def main(arguments):
    line = program.CommandLine("Keep messages for many clients at once.")
    line.add_argument("address", type=parse_address)
    line.add_argument("--max-clients", type=program.count, default=100)
    line.add_argument("--idle", type=program.seconds, default=60.0)
    options = line.parse_args(arguments)
    program.end_on_sigterm()
    try:
        listener = sockets.listen(options.address)
    except OSError as error:
        program.fail(program.CANNOT_CONNECT, error)
    keeper = Keeper()
    keeper.start()
    workers = [
        threading.Thread(target=work, args=(listener, keeper, options.idle), daemon=True)
        for _ in range(options.max_clients)
    ]
    for worker in workers:
        worker.start()
    try:
        program.announce(options.address.bound_as(listener))
        workers[0].join()
    finally:
        sockets.stop_listening(listener, options.address)


if __name__ == "__main__":
    main(sys.argv[1:])
