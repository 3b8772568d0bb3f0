"""The kernel's netem: `kernel.py` puts a profile on an interface, `router.py` makes a link node of two of them.

The words and bytes that netem takes are pure and in `harness/link`.
"""
