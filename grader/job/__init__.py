"""One submission on one bench, from the safe copy to its result.

    grading     the result, whatever happened
    run         what is run, in which order, and what is tried once more
    listener    a tester's records as they come
    built       what a build made, taken in for further nodes

It may import `bench`, `verdict`, `submission`, `course`. Begin with `grading.py`.
"""
