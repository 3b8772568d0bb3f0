"""Stage 3: what is lost is sent again, until it arrives or is given up. The submission plays both sides."""

from harness.testing import Scene


def test_a_clean_link(lab: Scene) -> None:
    lab.transport.simulations("32 KiB", alone=True).complete()


def test_sizes_around_a_segment(lab: Scene) -> None:
    lab.transport.simulations("empty stream", "1 byte", "1199 bytes", "1200 bytes", "1201 bytes", alone=True).complete()


def test_the_first_syn_is_lost(lab: Scene) -> None:
    lab.transport.simulations("first SYN lost", alone=True).complete()


def test_a_data_segment_is_lost(lab: Scene) -> None:
    lab.transport.simulations("first data segment lost", "last data segment lost", alone=True).complete()


def test_an_acknowledgement_is_lost(lab: Scene) -> None:
    lab.transport.simulations("first ACK lost", alone=True).complete()


def test_the_fin_is_lost(lab: Scene) -> None:
    lab.transport.simulations("FIN lost", alone=True).complete()


def test_ten_percent_loss(lab: Scene) -> None:
    lab.transport.simulations("10 % loss on both", alone=True).complete(seeds=4)


def test_duplicates_and_damage(lab: Scene) -> None:
    lab.transport.simulations("20 % duplicates", "5 % damage", alone=True).complete(seeds=2)


def test_nobody_there(lab: Scene) -> None:
    lab.transport.simulations("nobody there", alone=True).complete()
