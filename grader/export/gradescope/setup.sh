#!/usr/bin/env bash
# Run once, as root, when Gradescope builds the image: what the checks need, into /autograder/socketlab-venv.
# Needs the internet: Debian's or Ubuntu's packages where something is missing, and PyPI.
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ -f "$source/requirements.txt" ] || source=/autograder/source

find_python() { # the first Python that is new enough and has venv
    for python in python3 python3.13 python3.12 python3.11; do
        if "$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
}

if [ -z "$(find_python)" ] || ! command -v gcc >/dev/null || ! command -v make >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends gcc make libc6-dev libssl-dev openssl ca-certificates
    if [ -z "$(find_python)" ]; then # Ubuntu 22.04 has 3.10, and 3.11 beside it
        apt-get install -y -qq --no-install-recommends python3 python3-venv
        [ -n "$(find_python)" ] || apt-get install -y -qq --no-install-recommends python3.11 python3.11-venv
    fi
fi
python=$(find_python)
[ -n "$python" ] || { echo "setup.sh: no Python from 3.11 on can be had here" >&2; exit 1; }
"$python" -m venv --clear /autograder/socketlab-venv
/autograder/socketlab-venv/bin/pip install --quiet --disable-pip-version-check -r "$source/requirements.txt"
