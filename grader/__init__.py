"""The judge: what a submission is worth, and why. Private: it never travels with the starters.

Each knows those below it and none above (`make check`):

    cli          what an instructor types
    daemon       pushes out of the queue, graded and answered
    campaign     many jobs, some workers, one run folder that a killed run goes on with
    record       what is kept of a class: results, copies, words of a person
    reports | job | release     pages and tables | one submission from copy to result | what students get
    bench        where a tester runs: on this machine or in Docker
    verdict      records -> outcomes -> points; a result as plain data. Pure
    course_new                          a new course
    course | course_file | submission   folders of a course | course.toml | a safe copy of what was handed in

`suites/` are the tests, public and hidden; they import `harness.testing` and nothing else. Begin with
`job/grading.py`.
"""
