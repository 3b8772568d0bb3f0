"""What a student types: `lab check`, `lab link`, `lab sim`, `lab trace`, `lab doctor`. May import every room.

A command is declared in `main.py` or `trace_commands.py` and does nothing there; what it does is in the module of its
name. Begin with `main.py`; `check.py` starts a tester and yields its records, `check_report.py` tells them.
"""
