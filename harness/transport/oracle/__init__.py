"""The oracle: which rules of the handout a run broke, told from its packets alone. Pure.

    for violation in judge(simulation.packets, wire, Case(stage=5, judged=["up"])):
        print(violation)            # rule 3.11 (MUST), packet 17 at 1.2000 s: numbers 1 to 1200 again, and ...

What is certain. The link notes for each packet when it was sent and with which bytes, and when it arrived, if it did,
and with which bytes. So for both endpoints we know exactly what left them and what reached them undamaged. Everything
else is hidden: their timers, buffers and congestion state, and what their applications want. `Case` holds what the test
knows besides: the stage, the sizes of the buffers, when an application read.

MUST and SHOULD. A MUST fails a submission, and there are many correct ones: they go back or repeat selectively, delay
ACKs or do not, and choose any timeout that the rules allow. So the criterion for a MUST is not "the reference would not
do that", nor "that is unusual", but: *no correct implementation could have done that, given what it can have known*.
What is only unwise, or is wrong by one reading of the past and right by another, is a SHOULD, which is shown and fails
nothing, or it is not told at all. A missed bug costs little, since other checks look at what came of it; a false MUST
costs a student points. Rules of later stages than the run's are SHOULD. So is, in a capture of real sockets, whatever
depends on when something arrived: it may have waited in a socket's buffer, or been dropped from it.

What an endpoint can have known. When it sends at 0.31 s it may know everything that arrived by then. It need not have
looked yet at what arrived at 0.31 s itself: a simulation does many things in one instant, and nobody outside sees
their order. And it need not have used everything that arrived earlier: an ACK in a segment outside the receive window
is dropped with it (RFC 9293). So two witnesses (`Witness`) follow each endpoint. The *eager* one has heard everything
up to and including the instant, and takes every ACK that is possible. The *sure* one has heard only what came before,
and takes only ACKs that everybody has to take. What news allows is asked of the eager witness, what news forbids is
asked of the sure one.

An example. The client is `>`, a packet takes 50 ms (tests/harness/transport/test_oracle.py runs it):

    0.10 > ACK seq=1 ack=1 len=100      numbers 1 to 100
    0.15 < ACK seq=1 ack=101            arrives at 0.20
    0.31 > ACK seq=1 ack=1 len=100      rule 3.11, MUST: both witnesses know that 1 to 100 have arrived

    The same, but that ACK is lost, or damaged on its way: nothing. The least timeout, 0.2 s, has passed.
    It arrives at 0.31: nothing. The eager witness has heard it, the sure one has not: the timer may have come first.
    It is lost, and the last packet is sent at 0.25: rule 3.5, MUST. No timer is so short; no duplicate ACKs excuse it.
    101 to 200 were sent, too, and the last packet has 1 to 200: rule 3.11, SHOULD, since half of it is needed.

What can be told of what is hidden:

- A timer is not seen, but it has bounds. What is sent again, with nothing heard that excuses it, was sent by a timer,
  so at least 0.2 s have to have passed; waits with nothing heard between them have to grow, and should double. Whether
  an ACK restarted the timer is not seen at all, so a timeout too soon after one is a SHOULD.
- Whether an application has read is not seen. Without `Case.reads` a window is held to the size of the buffer, if that
  is known, and to the edge that was offered before.
- The congestion window is not seen. `Envelope` follows the most daring controller that the rules allow, and tells only
  of more bytes under way than even that one would have. A model-based controller (`Case.models`) has no such ceiling.
- Silence proves nothing: the endpoint may have ended. An ACK is late only if the same endpoint sent one afterwards.

Numbers are modulo 2^32 on the wire and unbounded in here, relative to the SYN of their side: 0 is the SYN, 1 the first
byte. Of all the numbers that a field can stand for, `near` takes the one nearest to the highest that was sent so far.
What leaps by more than `FAR` (2^24) is a mistake and no stream, and does not become the highest.

The passes over a run:

1. view.py parses every packet once and makes a `View` of each endpoint: its sendings, with their numbers, and what
   reached it, each in order. The witnesses are there, too. ranges.py has the sets of numbers that both keep.
2. judge.py tells of sendings that are not segments (1.3 to 1.5). Then it goes through the other sendings of one side,
   brings both witnesses up to each, and shows it to three parties in turn:
   receiver.py: its flags, what it acknowledges, offers and reports (1.2, 3.1 to 3.3, 5.3, 6.5);
   sender.py: what it carries, for the first time or again (3.1, 3.5 to 3.7, 3.11 to 3.13, 4.5, 5.1, 6.3, 6.5), and why
   it was sent: as something new, on a timeout, as a fast retransmission;
   congestion.py: whether so much may be under way (7.1 and 7.3, with 7.2 in the ceiling), which depends on that reason.
3. receiver.py goes through the arrivals, for ACKs that are owed (3.4, 4.4, 5.6) and answers that are forbidden (3.9,
   4.4).
4. verdicts.py has collected what was found, and made a SHOULD of every MUST that the case does not allow.
"""
