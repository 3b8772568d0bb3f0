"""TLS records as bytes. Pure: no socket, no clock, no OpenSSL.

`records.py` reads them (RFC 8446, section 5.1), `sealing.py` makes them under a connection's keys, `rules.py` spoils
them for the man in the middle, `leaks.py` looks for what must not be readable in them.
"""
