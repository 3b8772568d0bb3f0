"""The chat server of callbacks (protocols.py), in the loop of uvloop."""

import uvloop

uvloop.install()

import protocols  # noqa: E402,F401  (it serves)
