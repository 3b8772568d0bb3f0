"""chat_server on the reactor."""

import os
import sys

import net
from core import Client, Options, read_words


def drain():
    Options.draining = True
    listener.close()
    for client in list(Options.everyone):
        client.end(b"")
    if not Options.everyone:
        reactor.stop()
    reactor.call_later(1.6, reactor.stop)


reactor = Options.loop = net.Reactor()
Options.over = reactor.stop
address = read_words(sys.argv[1:])
reactor.on_sigterm(drain)
sock, words, path = net.listen(address)
listener = net.Listener(reactor, sock, Client)
print(words, flush=True)
reactor.run()
if path:
    os.unlink(path)
