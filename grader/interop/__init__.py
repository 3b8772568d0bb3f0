"""Submissions that meet each other: who meets whom, under which names, and whose doing a failure was.

    pairs     who meets whom. Pure
    names     pseudonyms, others for each assignment. Pure
    found     what a tester reports of a meeting: read here, believed nowhere before. Pure
    who       who takes part, two that meet, and what came of it, as values. Pure
    entrants  which submissions of a run take part, copied and built
    play      the meetings on the lanes of a class
    table     what came of all of them, as interop.json has it. Pure

It may import the campaign's lanes and what is below; `grader/record/meetings.py` keeps what came of it. Begin with
`play.py`. Nothing of it counts for points unless the course's file says so (`[interop]`).
"""
