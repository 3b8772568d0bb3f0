"""Results for others: in the formats of harness/formats, and as an autograder for Gradescope.

`convert.py` makes of a reader's view what the formats are made from; pure. `saved.py` reads a run's results,
`autograder.py` puts together what Gradescope runs, from `gradescope/`. May import `release`, `reports` (views only) and
what is below them. Begin with `convert.py`.
"""
