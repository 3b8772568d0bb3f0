"""Packets as pictures: a ladder as text or SVG, curves, a capture for Wireshark. Pure, and knows no protocol above UDP.

`ladder.py` says what is drawn and `ladder_svg.py` draws it; `plots.py` is the only file that imports matplotlib, and
works without it; `capture.py` writes and reads pcapng, `wires.py` makes one of two. It may import `link` and `course`.
"""
