"""A man in the middle: `middle.py` is what a test tells him, `proxy.py` his sockets and his thread.

What he does to the bytes is pure and in `record_layer/rules.py`.
"""
