"""The link between network namespaces: `tun.py`, the only file that opens TUN, and `packet.py`, which reads packets."""
