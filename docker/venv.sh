#!/bin/sh
# Makes the virtual environment: venv.sh PYTHON FOLDER. Says what is missing and the one command that brings it.
# venv.sh PYTHON FOLDER EXTRA adds what an extra of pyproject.toml names (dev: tests, types, style, plots).
set -eu
python=$1
venv=$2
extra=${3:-}
if [ -n "$extra" ] && [ -e "$venv/ready" ]; then
    echo "adding to $venv what tests and checks need (once)" >&2
    "$venv/bin/pip" install --quiet --disable-pip-version-check --editable ".[$extra]"
    touch "$venv/ready-$extra"
    exit 0
fi
if ! command -v "$python" >/dev/null; then
    echo "socketlab needs Python 3.11 or newer; there is no $python here: sudo apt-get install python3 python3-venv" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "socketlab needs Python 3.11 or newer; $python is $("$python" -V). Name another: make PYTHON=python3.12 ..." >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then # Debian and Ubuntu ship it apart
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing python3-venv (Debian ships it apart from python3)" >&2
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends python3-venv "python$version-venv" >/dev/null
    else
        echo "Python's venv is not complete here: sudo apt-get install python3-venv python$version-venv" >&2
        exit 1
    fi
fi
echo "making $venv (once)" >&2
"$python" -m venv --clear "$venv" # what another Python left in it would not fit
"$venv/bin/pip" install --quiet --disable-pip-version-check --editable .
touch "$venv/ready"
