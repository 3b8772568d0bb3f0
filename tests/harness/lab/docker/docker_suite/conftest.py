"""The suite in hidden/ is run by harness.tester.run in a tester node (test_labs_docker.py), not from here."""

collect_ignore = ["hidden"]
