"""A result as pages and tables, for the instructor, the student, and the class. Pure.

`view.py` is the only place that decides who sees what; `html.py` and `terminal.py` render what it gives, `text.py`
makes any text safe to look at. May import `verdict` and what is below.
"""
