"""echo_server on the reactor: stops reading while anything waits to be written."""

import os
import sys

import net

clients = set()
draining = False
idle = 300.0


class Echo:
    def connection_made(self, transport):
        self.transport = transport
        self.active = reactor.time()
        self.ended = False
        if transport.sock.family.name != "AF_UNIX":
            transport.sock.setsockopt(6, 1, 1)
        clients.add(self)

    def data_received(self, data):
        self.active = reactor.time()
        if not self.ended:
            self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.active = reactor.time()
        self.transport.resume_reading()

    def eof_received(self):
        self.end()

    def end(self):
        if not self.ended:
            self.ended = True
            self.transport.write_eof()
            if draining:
                reactor.call_later(1.0, self.transport.abort)
            if not self.transport.closing:
                self.transport.resume_reading()
        elif self.transport.eof_in and not self.transport.out:
            self.transport.abort()

    def connection_lost(self, _error):
        clients.discard(self)
        if draining and not clients:
            reactor.stop()


def sweep():
    now = reactor.time()
    for client in list(clients):
        if now - client.active >= idle:
            client.transport.abort()
    reactor.call_later(min(0.5, idle / 3), sweep)


def drain():
    global draining
    draining = True
    listener.close()
    for client in list(clients):
        client.end()
    if not clients:
        reactor.stop()
    reactor.call_later(1.6, reactor.stop)


reactor = net.Reactor()
if len(sys.argv) < 2:
    net.end(2, "where?")
try:
    if "--idle" in sys.argv:
        idle = float(sys.argv[sys.argv.index("--idle") + 1])
        if idle <= 0:
            raise ValueError("--idle 0?")
except ValueError as why:
    net.end(2, why)
reactor.on_sigterm(drain)
sock, words, path = net.listen(sys.argv[1])
listener = net.Listener(reactor, sock, Echo)
print(words, flush=True)
sweep()
reactor.run()
if path:
    os.unlink(path)
