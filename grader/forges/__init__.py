"""What is asked of GitHub, GitLab and Forgejo (and Gitea): where a branch is, and that a commit gets a status.

    status     what is posted. Pure
    api        one forge's API over HTTP: the only place that sends a token
    kinds      how each of the three wants it said. Pure

Nothing of a student's is run, and nothing of them is believed: an answer is JSON of which a commit's hash is taken.
"""
