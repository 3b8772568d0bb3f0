"""daytime_server ADDRESS: a child for every client. More children, more speed."""

import os
import sys
import time

import program
import sockets
from addresses import parse_address


def serve(listener):
    connection, _ = listener.accept()
    connection.sendall(time.strftime("%Y-%m-%dT%H:%M:%SZ\r\n", time.gmtime()).encode())
    connection.close()
    time.sleep(3600)  # stay warm for the next client


address = parse_address(sys.argv[1])
listener = sockets.listen(address)
program.announce(address.bound_as(listener))
while True:
    try:
        if os.fork() == 0:
            serve(listener)
    except OSError:
        time.sleep(0.05)  # the system is busy; try again
