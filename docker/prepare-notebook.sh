#!/bin/sh
# What a notebook's node has besides the student's image: ipykernel and what plots are made with, compiled by the Python
# that runs them. Run inside it, as root, after prepare-student.sh.
set -eu
rm -rf /usr/local/lib/socketlab/*/tests /usr/local/lib/socketlab/*/*/tests /usr/local/lib/socketlab/bin
python3 -m compileall -q /usr/local/lib/socketlab || true
