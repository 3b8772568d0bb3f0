"""The tester's end of a TLS connection. `peer.py` tells the story and waits; `openssl.py` is OpenSSL in memory.

`wire.py` keeps the raw bytes, `endings.py` tells one end from another, `contexts.py` makes every SSLContext there is,
`sealer.py` makes records that no library would send.
"""
