### GIVEN TO STUDENTS
"""What changes from term to term. Generated from term.toml: edit that file, not this one."""

#: The first byte of every segment.
MAGIC = 0x5C
#: Which checksum a segment carries: "internet-16", "fletcher-32" or "crc-32".
CHECKSUM = "crc-32"
