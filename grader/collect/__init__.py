"""What students handed in -> submitted/<student>/<assignment>/, with a receipt each.

git         from a student's repository: the last commit before the deadline. The only place that calls git
archives    from what Canvas, Moodle and Gradescope give as one ZIP
unpack      an archive that nobody vouches for -> a folder. The only place that unpacks one
place       a folder -> submitted/, hashed, with a receipt; what was there before is kept
ledger      the receipts of a course
"""
