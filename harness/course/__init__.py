"""What an assignment asks, read and checked.

`assignment.py` reads assignment.toml, `programs.py` how programs are started, `address.py` addresses. `forbidden.py`
finds the names that a stage forbids, `groups.py` cuts suites for several testers. Pure but for reading files. Imports
`text`.
"""
