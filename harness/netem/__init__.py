"""The kernel's own netem: its words, its bytes, an interface that has it, a router made of two."""
