"""Acknowledges every other segment and otherwise after 199 ms; sends selective acknowledgements, and uses none."""

import selective
from segment import Segment, decode, encode


class Connection(selective.Connection):
    def make(self, seq, *, payload=b"", syn=False, fin=False, rst=False, ack=True):
        data = super().make(seq, payload=payload, syn=syn, fin=fin, rst=rst, ack=ack)
        blocks = self.blocks()
        if syn or rst or not ack or not blocks:
            return data
        plain = decode(data)
        return encode(Segment(
            plain.sequence, plain.acknowledgement, plain.window, ack=True, fin=fin,
            sack=tuple((a % 2**32, b % 2**32) for a, b in blocks), payload=payload,
        ))

    def blocks(self):
        runs = []
        for at in sorted(self.early):
            end = at + len(self.early[at][0]) + self.early[at][1]
            if runs and at <= runs[-1][1]:
                runs[-1][1] = max(runs[-1][1], end)
            elif end > at:
                runs.append([at, end])
        newest = getattr(self, "newest", None)
        runs.sort(key=lambda r: not (newest is not None and r[0] <= newest < r[1]))
        return runs[:3]

    def take_text(self, seg, seq):
        if seq > self.rcv:
            self.newest = seq
        before = self.ack_at
        super().take_text(seg, seq)
        if before is None and self.ack_at is not None:
            self.ack_at = self.now + 0.199
