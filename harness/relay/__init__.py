"""The link on loopback: sockets in the middle, without privilege."""
