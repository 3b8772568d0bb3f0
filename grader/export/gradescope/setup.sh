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

mapfile -t missing < <(while read -r package; do dpkg -s "$package" >/dev/null 2>&1 || echo "$package"; done <"$source/packages")
if [ -z "$(find_python)" ] || [ "${#missing[@]}" -gt 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends ca-certificates "${missing[@]}"
    if [ -z "$(find_python)" ]; then # Ubuntu 22.04 has 3.10, and 3.11 beside it
        apt-get install -y -qq --no-install-recommends python3 python3-venv
        [ -n "$(find_python)" ] || apt-get install -y -qq --no-install-recommends python3.11 python3.11-venv
    fi
fi
python=$(find_python)
[ -n "$python" ] || { echo "setup.sh: no Python from 3.11 on can be had here" >&2; exit 1; }
"$python" -m venv --clear /autograder/socketlab-venv
/autograder/socketlab-venv/bin/pip install --quiet --disable-pip-version-check -r "$source/requirements.txt"
