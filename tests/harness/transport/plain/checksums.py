"""The term's checksum."""

import zlib


def checksum(data: bytes) -> int:
    return zlib.crc32(data)
