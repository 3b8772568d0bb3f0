"""What changes from term to term. Made from term.toml by `grader release`: edit that one."""

#: The first byte of every segment.
MAGIC = 0x5C
#: Which checksum a segment carries: "internet-16", "fletcher-32" or "crc-32".
CHECKSUM = "crc-32"
