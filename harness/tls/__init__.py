"""TLS seen from outside: certificates good and bad, records, and peers every byte of which can be seen.

    pipes        `lab.pipes`: the submission's pipes, and ways through them
    words        `lab.tls`: what a test says of TLS itself
    load         hundreds of connections, and what stands behind a pipe under load
    middle       a man in the middle of a connection
    zoo          certificates, each wrong in exactly one way
    peer         the tester's end of a connection: OpenSSL in memory on a plain socket
    logs         what a pipe says about itself
    record_layer records on the wire: read, sealed, spoilt, searched. Pure

It may import `actors` and what is below, and knows nothing of the transport. Begin with `peer/peer.py`.
"""
