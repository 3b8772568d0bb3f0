"""Thousands of clients against one server, in this process and beside a bystander whose waiting is measured.

`load.py` is what a test holds, `generator.py` connects and proves, `clients.py` and `traffic.py` are the clients,
`machine.py` says whether the machine could have kept up.
"""
