"""Stage 3, hidden: the same rules against the reference in either role, with other seeds and more misfortune."""

from harness.testing import Scene


def test_sizes(lab: Scene) -> None:
    lab.transport.simulations(
        "empty stream", "1 byte", "1199 bytes", "1200 bytes", "1201 bytes", "2400 bytes", "2401 bytes"
    ).complete()


def test_small_writes(lab: Scene) -> None:
    lab.transport.simulations("one byte every 100 ms").complete()


def test_both_directions(lab: Scene) -> None:
    lab.transport.simulations("both directions").complete()


def test_ping_pong(lab: Scene) -> None:
    lab.transport.simulations("ping-pong").complete()


def test_sequence_wrap(lab: Scene) -> None:
    lab.transport.simulations("sequence wrap").complete(seeds=2)


def test_handshake_segments_lost(lab: Scene) -> None:
    lab.transport.simulations("first SYN lost", "SYN-ACK lost").complete()


def test_data_segments_lost(lab: Scene) -> None:
    lab.transport.simulations(
        "first data segment lost", "last data segment lost", "a segment lost four times"
    ).complete()


def test_acknowledgements_lost(lab: Scene) -> None:
    lab.transport.simulations("first ACK lost", "second ACK lost").complete()


def test_the_fin_is_lost_either_way(lab: Scene) -> None:
    lab.transport.simulations("FIN lost").complete()


def test_loss_on_data(lab: Scene) -> None:
    lab.transport.simulations("2 % loss on data", "10 % loss on data", "20 % loss on data").complete(seeds=3)


def test_loss_on_acknowledgements(lab: Scene) -> None:
    lab.transport.simulations("2 % loss on ACKs", "10 % loss on ACKs", "20 % loss on ACKs").complete(seeds=3)


def test_loss_on_both(lab: Scene) -> None:
    lab.transport.simulations("2 % loss on both", "10 % loss on both", "20 % loss on both").complete(seeds=3)


def test_duplicates(lab: Scene) -> None:
    lab.transport.simulations("20 % duplicates").complete(seeds=3)


def test_reordering(lab: Scene) -> None:
    lab.transport.simulations("jitter that reorders").complete(seeds=3)


def test_damage(lab: Scene) -> None:
    lab.transport.simulations("5 % damage", "20 % damage").complete(seeds=3)


def test_truncated_and_garbage(lab: Scene) -> None:
    lab.transport.simulations("truncated datagrams", "garbage from the peer").complete(seeds=2)


def test_giving_up(lab: Scene) -> None:
    lab.transport.simulations("nobody there", "the link dies").complete()
