"""A run as something to look at. Pure; files are written by whoever asks (`artefacts.keep`).

`bundle.py` is a run as data, `reading.py` finds out what each packet was for, `pictures.py` draws ladder and curves.
"""
