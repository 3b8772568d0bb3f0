"""A term's rules. Pure; it reads no file and no clock.

roster      who takes the course, from CSV of our own, Canvas, Moodle or Gradescope
late        deadlines, late days, penalties
receipts    what was handed in, when, and which of it counts
leaving     the CSV that other systems take
table       CSV, in and out, in which no cell begins a formula
"""
