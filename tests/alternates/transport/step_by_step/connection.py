"""Takes a back-off back by one doubling for each acknowledgement, and keeps at most 64 pieces out of order."""

import selective
from segment import Segment  # noqa: F401

MOST_PIECES = 64


class Connection(selective.Connection):
    def moved(self, before, flight):
        backed_off = self.rto
        super().moved(before, flight)
        self.rto = max(self.base_rto, backed_off / 2)
        self.deadline = self.now + self.rto if self.flights else None

    def take_text(self, seg, seq):
        if seq > self.rcv and len(self.early) >= MOST_PIECES and seq not in self.early:
            self.ack_now = True
        else:
            super().take_text(seg, seq)
