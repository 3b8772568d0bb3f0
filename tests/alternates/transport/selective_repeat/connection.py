"""Selective repeat without SACK: a timer for each segment, a receiver that keeps what comes early, NewReno's window."""

import machine
from machine import MSS
from segment import Segment  # noqa: F401


class Flight:
    """A segment under way."""

    def __init__(self, seq, payload, fin, now):
        self.seq, self.payload, self.fin, self.sent = seq, payload, fin, now
        self.times = 1
        self.end = seq + len(payload) + fin


class Connection(machine.Connection):
    def __init__(self, role, *, isn, receive_buffer=65536):
        super().__init__(role, isn=isn, receive_buffer=receive_buffer)
        self.flights = []
        self.early = {}  # number -> payload, fin
        self.cwnd, self.ssthresh = 4 * MSS, 1 << 30
        self.dups, self.recover = 0, None
        self.srtt = self.var = None
        self.base_rto = 1.0
        self.syn_at = None

    # -- sending

    def datagrams_to_send(self, *, now):
        if self.state in ("CLOSED", "LISTEN"):
            self.syn_at = now
        return super().datagrams_to_send(now=now)

    def push(self):
        last = self.base + len(self.buffer)
        limit = min(self.edge, self.una + self.cwnd)
        while self.nxt < last or (self.nxt == last and self.ended and self.nxt < limit):
            take = min(MSS, last - self.nxt, limit - self.nxt)
            if take <= 0 and self.nxt < last:
                break
            at = self.nxt - self.base
            payload = bytes(self.buffer[at : at + max(take, 0)])
            fin = self.ended and self.nxt + len(payload) == last and self.nxt + len(payload) < limit
            flight = Flight(self.nxt, payload, fin, self.now)
            self.flights.append(flight)
            self.transmit(flight)
            self.nxt = self.top = flight.end
            if fin:
                self.sent_fin()
                break
        waits = self.una < last or (self.ended and not self.fin_sent)
        if not self.flights and not self.probe and waits and self.edge <= self.una:
            self.probe, self.rto = True, self.base_rto
            self.start_timer()
        elif self.flights and not self.probe:
            self.deadline = min(f.sent + self.rto for f in self.flights[:1])

    def transmit(self, flight):
        self.out.append(self.make(flight.seq, payload=flight.payload, fin=flight.fin))
        self.acked()

    def again(self, flight):
        flight.times += 1
        flight.sent = self.now
        self.transmit(flight)

    def timeout(self):
        if self.probe or self.state in ("SYN-SENT", "SYN-RECEIVED"):
            return super().timeout()
        if not self.flights:
            self.deadline = None
            return None
        first = self.flights[0]
        if first.times > 8:
            done = self.state == "LAST-ACK" and not first.payload
            return self.finish(machine.Event.CLOSED if done else machine.Event.TIMED_OUT)
        self.ssthresh = max((self.nxt - self.una) // 2, 2 * MSS)
        self.cwnd, self.dups, self.recover = MSS, 0, self.nxt
        self.rto = min(60.0, self.rto * 2)
        self.again(first)
        self.deadline = self.now + self.rto
        return None

    def take_ack(self, seg, seq):
        before, edge = self.una, self.edge
        flight = self.nxt - self.una
        good = super().take_ack(seg, seq)
        if not good or self.over:
            return good
        if self.flights and self.edge <= self.una:
            self.flights[0].times = min(self.flights[0].times, 2)  # its window is closed, and it is there
        if self.una > before:
            self.moved(before, flight)
        elif (
            self.flights and not seg.payload and not seg.fin and self.edge == edge
            and self.unwrap(seg.acknowledgement, self.una) == self.una
        ):
            self.duplicate()
        return good

    def moved(self, before, flight):
        gone = [f for f in self.flights if f.end <= self.una]
        self.flights = [f for f in self.flights if f.end > self.una]
        for f in gone[-1:]:
            if f.times == 1:
                self.measure(self.now - f.sent)
        self.rto = self.base_rto
        self.dups = 0
        if self.recover is not None and self.una < self.recover and self.flights:
            self.again(self.flights[0])  # a partial acknowledgement: the next hole
        else:
            if self.recover is not None:
                self.cwnd, self.recover = max(min(self.ssthresh, flight), 2 * MSS), None
            elif self.cwnd < self.ssthresh:
                self.cwnd += min(self.una - before, MSS)
            else:
                self.cwnd += MSS * MSS // self.cwnd
        self.deadline = self.now + self.rto if self.flights else None
        for f in self.flights[:1]:
            f.sent = max(f.sent, self.now - 0) if f.times > 1 else f.sent

    def duplicate(self):
        self.dups += 1
        if self.dups == 3 and self.recover is None:
            self.ssthresh = max((self.nxt - self.una) // 2, 2 * MSS)
            self.cwnd, self.recover = self.ssthresh, self.nxt
            self.again(self.flights[0])
            self.deadline = self.now + self.rto

    def measure(self, rtt):
        if self.srtt is None:
            self.srtt, self.var = rtt, rtt / 2
        else:
            self.var += (abs(self.srtt - rtt) - self.var) / 4
            self.srtt += (rtt - self.srtt) / 8
        self.base_rto = min(60.0, max(0.3, self.srtt + 4 * self.var))

    # -- receiving

    def take_text(self, seg, seq):
        if seq > self.rcv and (seg.payload or seg.fin) and not self.peer_fin:
            inside = seg.payload[: max(0, self.offered - seq)]
            if inside or seg.fin:
                fin = seg.fin and len(inside) == len(seg.payload) and seq + len(inside) < self.offered
                old = self.early.get(seq, (b"", False))
                self.early[seq] = max(old, (inside, fin), key=lambda e: (len(e[0]), e[1]))
            self.ack_now = True
            return
        before = self.rcv
        if self.early:
            self.ack_now = True  # it fills a gap, or a part of one
        super().take_text(seg, seq)
        while self.early and self.rcv > before:
            ready = [n for n in self.early if n <= self.rcv]
            if not ready:
                break
            at = min(ready)
            payload, fin = self.early.pop(at)
            if at + len(payload) + fin > self.rcv:
                super().take_text(machine_segment(payload, fin), at)


def machine_segment(payload, fin):
    return Segment(0, 0, 0, ack=True, payload=payload, fin=fin)
