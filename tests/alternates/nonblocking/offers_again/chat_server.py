"""The reference's chat, but that it offers the kernel what waits with every new line: it may tell `dropped N` often."""

import sys

import patient_chat as chat
from connection import CLOSED


class Offering(chat.Chat):
    def put(self, entry, *, broadcast):
        # Not one whose requests are held: flush() would answer them in the midst of somebody else's broadcast.
        if self.hall.slow == "drop" and self.blocked and not self.held:
            self.flush()
        if self.state is not CLOSED:
            super().put(entry, broadcast=broadcast)


if __name__ == "__main__":
    chat.Chat = Offering
    chat.main(sys.argv[1:])
