"""The lab in Docker: a link node, a tester and a warden that stay, and a new student node for each submission.

Outside, with the grader: `star.py` makes and keeps them, `recipes.py` says what each may do, `containers.py` is the
only file that talks to Docker, `images.py` makes the images. Inside the tester node: `lab.py` and `helper.py`.
docker/README.md has the reasons. It may import the rest of `harness.lab` but `local`.
"""
