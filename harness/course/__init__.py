"""What an assignment asks, read and checked.

`assignment.py` reads assignment.toml, `programs.py` how programs are started, `address.py` addresses. `forbidden.py`
finds the names that a stage forbids, `toml_rows.py` reads TOML with errors that name the line. Pure but for reading
files. Imports no other room.
"""
