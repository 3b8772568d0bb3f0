"""Text and bytes, for every room. Pure. Imports no other room.

`printable.py` decides what may be printed, `lines.py` cuts bytes into lines, `nearest.py` guesses what was meant,
`toml_rows.py` reads TOML with errors that name the line.
"""
