"""Records of a tester -> an outcome per check -> points -> result.json. Pure: the same records give the same points.

Begin with `rubric.py`; `outcome.py` says what can become of a check, `scoring.py` counts, `result.py` is what is kept.
"""
