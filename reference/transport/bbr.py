"""A model of the path instead of a reaction to losses: a controller after BBR. Pure.

After Cardwell, Cheng, Gunn, Yeganeh, Jacobson, "BBR: Congestion-Based Congestion Control", ACM Queue 14(5), 2016, and
draft-cardwell-iccrg-bbr-congestion-control-00 (July 2017), whose sections stand beside the lines as "4.1.2".

Rule 1: two numbers describe a path: how many bytes a second come through (BtlBw, the largest delivery rate of the last
ten round trips) and how long the way is without a queue (RTprop, the shortest round trip of the last ten seconds).
Rule 2: what is sent is paced at BtlBw, so no queue grows; BtlBw * RTprop (BDP) is what has to be under way.
Rule 3: they cannot be measured at the same time: more than the BDP has to be under way to see BtlBw grow, less to see
RTprop. So it probes in turns:

    STARTUP    twice as fast in each round trip, until three of them have brought no quarter more
    DRAIN      as much slower, until the queue is gone that this has made
    PROBE_BW   again and again: a round trip a quarter faster, one a quarter slower, six even ones
    PROBE_RTT  if ten seconds have shown no round trip as short: 0.2 s with four segments
"""

### BEGIN SOLUTION: stage 9: a model of the path is for the extension only
from __future__ import annotations

import enum
import math
from collections import deque

from congestion import INITIAL_WINDOW, LOSS_WINDOW, SEGMENT, Acknowledged
from rate import RateSample

#: BtlBwFilterLen: round trips that a delivery rate is remembered for (4.1.1.3).
BANDWIDTH_ROUNDS = 10
#: RTpropFilterLen: seconds that a round trip time is remembered for, and ProbeRTTDuration (4.1.2.3, 4.3.5).
LEAST_RTT_SECONDS, PROBE_RTT_SECONDS = 10.0, 0.2
#: BBRMinPipeCwnd: bytes under way that keep acknowledgements coming (4.2.3.1).
LEAST_WINDOW = 4 * SEGMENT
#: BBRHighGain: 2/ln(2), the smallest that doubles the rate in each round trip (4.2.1).
HIGH_GAIN = 2 / math.log(2)
#: cwnd_gain: twice the BDP, so that acknowledgements that are held back do not stop it (4.3.4). In STARTUP, too, from
#: the round trip on that shows no growth, as in later versions (draft-ietf-ccwg-bbr); before that it is BBRHighGain.
WINDOW_GAIN = 2.0
#: Gains of PROBE_BW: up, down, and six even ones (4.3.4.2).
CYCLE = (1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
#: Not in the draft: what a path loses though no queue is full is sent on top, or a link that loses a tenth in front of
#: its queue is idle for a tenth of the time. It is measured in even phases only, when no more than BtlBw is sent: the
#: losses of a queue that is too short come in the others. Its largest share, and how fast its average moves.
MOST_LOSS, LOSS_GAIN = 0.2, 1 / 4
#: Nothing is sent on top while the shortest round trip of a phase is so many times RTprop: then there is a queue.
QUEUE = 1.2


class State(enum.Enum):
    """Section 4.3."""

    STARTUP = "startup"
    DRAIN = "drain"
    PROBE_BW = "probe bandwidth"
    PROBE_RTT = "probe round trip time"


class Bbr:
    """The teaching controller's rival. Lines without a section number are explained on the spot."""

    def __init__(self) -> None:
        self.state = State.STARTUP
        self.bandwidth = 0.0  #: BtlBw, bytes per second; 0: not known yet
        self.least_rtt = math.inf  #: RTprop, seconds
        self._rates: deque[tuple[int, float]] = deque()  # (round, rate): rates fall, the first is the largest
        self._least_rtt_at = 0.0  # when RTprop was measured
        self._round = 0  # round trips so far
        self._round_ends = 0  # bytes that will have been delivered when this one is over
        self._full_bandwidth = 0.0  # the largest rate when it last grew by a quarter
        self._full_rounds = 0  # round trips since then
        self._filled = False  # the pipe was filled once: STARTUP is over for good
        self._pacing_gain = HIGH_GAIN
        self._pacing_rate: float | None = None
        self._phase = 0  # of CYCLE
        self._phase_at = 0.0  # when it began
        self._loss = 0.0  # share of the bytes that the path loses though no queue is full
        self._surplus = 1.0  # what is sent on top for it
        self._lost = self._delivered = 0  # bytes, in this phase
        self._phase_rtt = math.inf  # the shortest round trip in this phase, seconds
        self._probe_rtt_ends: float | None = None  # None: not down to four segments yet
        self._window = INITIAL_WINDOW

    @property
    def window(self) -> int:
        """Bytes that may be under way: a safety net, for it is pacing that holds the sender back (4.2.3)."""
        return min(self._window, LEAST_WINDOW) if self.state is State.PROBE_RTT else self._window

    @property
    def pacing_rate(self) -> float | None:
        """Bytes per second (4.2.1); None at first: the initial window goes at once."""
        return self._pacing_rate

    # -- what the sender tells -----------------------------------------------------------------------------------

    def on_sent(self, size: int, in_flight: int, *, now: float) -> None:
        """Nothing to learn from it."""

    def on_acknowledged(self, news: Acknowledged, *, now: float) -> None:
        """4.2.2: update the model, then the state, then the window."""
        self._delivered += news.delivered
        new_round = news.rate is not None and self._update_model(news.rate)
        if new_round and not self._filled:
            self._check_filled(news.rate)
        if news.rtt is not None and news.rtt <= self.least_rtt:
            self.least_rtt, self._least_rtt_at = news.rtt, now
        if news.rtt is not None:
            self._phase_rtt = min(self._phase_rtt, news.rtt)
        if self.state is State.STARTUP and self._filled:
            self.state = State.DRAIN
            self._pacing_gain = 1 / HIGH_GAIN
        if self.state is State.DRAIN and news.in_flight <= self._target(1.0):
            self._enter_probe_bandwidth(now)
        if self.state is State.PROBE_BW and self._is_phase_over(news.in_flight, now):
            self._next_phase(now)
        self._check_probe_rtt(news, now)
        self._update_pacing_rate()
        self._update_window(news)

    def on_loss(self, flight: int, lost: int, *, now: float) -> None:
        """A loss says nothing new about the path's rate: what is lost is missing in the delivery rate already."""
        self._lost += lost

    def on_more_lost(self, lost: int, *, now: float) -> None:
        """Likewise."""
        self._lost += lost

    def on_recovery_exit(self, in_flight: int, *, now: float) -> None:
        """Likewise."""

    def on_timeout(self, flight: int, *, now: float) -> None:
        """4.2.3.4: nothing came back, so begin with one segment; the window grows by what is delivered."""
        self._window = LOSS_WINDOW

    def on_idle(self, *, now: float) -> None:
        """The model stays true for a while, and pacing prevents a burst (4.2.5)."""

    # -- the model -----------------------------------------------------------------------------------------------

    def _update_model(self, sample: RateSample) -> bool:
        """4.1.1: rounds and BtlBw. Whether a round trip is over: something was delivered that left after it began."""
        new_round = sample.prior_delivered >= self._round_ends
        if new_round:
            self._round += 1
            self._round_ends = sample.total_delivered
        if sample.rate >= self.bandwidth or not sample.app_limited:
            while self._rates and self._rates[-1][1] <= sample.rate:
                self._rates.pop()
            self._rates.append((self._round, sample.rate))
            while self._rates[0][0] <= self._round - BANDWIDTH_ROUNDS:
                self._rates.popleft()
            self.bandwidth = self._rates[0][1]
        return new_round

    def _update_pacing_rate(self) -> None:
        """4.2.1: before the pipe is full the rate only rises. Nothing is known before the initial window is through."""
        if self._filled:
            self._pacing_rate = self._pacing_gain * self.bandwidth * self._surplus
        elif self._round_ends >= INITIAL_WINDOW:
            self._pacing_rate = max(self._pacing_rate or 0.0, self._pacing_gain * self.bandwidth)

    def _target(self, gain: float) -> int:
        """4.2.3.2: so many times the BDP, and a little for what is acknowledged in pairs."""
        if not self.bandwidth or self.least_rtt == math.inf:
            return INITIAL_WINDOW
        return int(gain * self.bandwidth * self.least_rtt) + 3 * SEGMENT

    def _update_window(self, news: Acknowledged) -> None:
        """4.2.3.5: grow by what was delivered, up to the target."""
        target = self._target(WINDOW_GAIN if self._full_rounds else HIGH_GAIN)
        if self._filled:
            self._window = min(self._window + news.delivered, target)
        elif self._window < target:
            self._window += news.delivered

    # -- states --------------------------------------------------------------------------------------------------

    def _check_filled(self, sample: RateSample) -> None:
        """4.3.2.2: the pipe is full when three round trips have not brought a quarter more."""
        if sample.app_limited:
            return
        if self.bandwidth >= 1.25 * self._full_bandwidth:
            self._full_bandwidth, self._full_rounds = self.bandwidth, 0
            return
        self._full_rounds += 1
        self._filled = self._full_rounds >= 3

    def _enter_probe_bandwidth(self, now: float) -> None:
        """4.3.4.3: begin with an even phase; the draft draws which one, and a draw is what we do without."""
        self.state, self._phase = State.PROBE_BW, 1
        self._next_phase(now)

    def _is_phase_over(self, in_flight: int, now: float) -> bool:
        """4.3.4.3: after a round trip; up not before it has shown, down no longer than needed."""
        long = now - self._phase_at > self.least_rtt
        if self._pacing_gain > 1:
            return long and (in_flight >= self._target(self._pacing_gain) or self._lost > 0)
        if self._pacing_gain < 1:
            return long or in_flight <= self._target(1.0)
        return long

    def _next_phase(self, now: float) -> None:
        if self._phase >= 3:
            lost = self._lost / max(1, self._lost + self._delivered)
            self._loss = min(MOST_LOSS, self._loss + LOSS_GAIN * (lost - self._loss))
        self._surplus = 1 / (1 - self._loss) if self._phase_rtt < QUEUE * self.least_rtt else 1.0
        self._lost, self._delivered, self._phase_rtt = 0, 0, math.inf
        self._phase = (self._phase + 1) % len(CYCLE)
        self._phase_at, self._pacing_gain = now, CYCLE[self._phase]

    def _check_probe_rtt(self, news: Acknowledged, now: float) -> None:
        """4.3.5: with four segments under way there is no queue, and the round trip is RTprop."""
        if self.state is not State.PROBE_RTT:
            if now - self._least_rtt_at <= LEAST_RTT_SECONDS:
                return
            self.state, self._pacing_gain, self._probe_rtt_ends = State.PROBE_RTT, 1.0, None
            self.least_rtt = math.inf if news.rtt is None else news.rtt
        if self._probe_rtt_ends is None:
            if news.in_flight <= LEAST_WINDOW:
                self._probe_rtt_ends = now + PROBE_RTT_SECONDS
        elif now >= self._probe_rtt_ends:
            self._least_rtt_at = now
            if self._filled:
                self._enter_probe_bandwidth(now)
            else:
                self.state, self._pacing_gain = State.STARTUP, HIGH_GAIN


### END SOLUTION
