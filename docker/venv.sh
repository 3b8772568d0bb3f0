#!/bin/sh
# Makes the virtual environment, or brings one up to date: venv.sh PYTHON FOLDER [EXTRA]. Says what is missing and the
# one command that brings it. EXTRA is one of pyproject.toml (dev: tests, types, style, plots; course: nbgrader). What
# was added once stays: FOLDER/ready-EXTRA says so, also where the environment has to be made anew.
set -eu
python=$1
venv=$2
extra=${3:-}
if ! command -v "$python" >/dev/null; then
    echo "socketlab needs Python 3.11 or newer; there is no $python here: sudo apt-get install python3 python3-venv" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "socketlab needs Python 3.11 or newer; $python is $("$python" -V). Name another: make PYTHON=python3.12 ..." >&2
    exit 1
fi

extras() { # those that the environment has, and the new one: a,b,c
    for mark in "$venv"/ready-*; do
        [ -e "$mark" ] && printf '%s,' "${mark##*/ready-}"
    done
    printf '%s' "$extra"
}

mark() { # the extras of a list
    for one in $(printf '%s' "$1" | tr , ' '); do
        touch "$venv/ready-$one"
    done
}

install() { # with the extras of a list
    "$venv/bin/pip" install --quiet --disable-pip-version-check --editable ".${1:+[$1]}"
    touch "$venv/ready"
    mark "$1"
}

older() { # $1 is older than $2, or is not there
    [ ! -e "$1" ] || [ "$2" -nt "$1" ]
}

if [ -n "$extra" ] && ! older "$venv/ready" pyproject.toml && ! older "$venv/ready" docker/venv.sh &&
    ! older "$venv/ready-$extra" "$venv/ready"; then
    exit 0 # make asks for both, one after the other
fi
wanted=$(extras)
wanted=${wanted%,}
version='import sys; print(sys.version_info[:2], sys.prefix == sys.base_prefix)'
same='import sys; print(sys.version_info[:2], False)'
if [ -e "$venv/ready" ] && [ "$("$venv/bin/python" -c "$version" 2>/dev/null)" = "$("$python" -c "$same")" ]; then
    echo "bringing $venv up to date${wanted:+, with $wanted}" >&2
    install "$wanted"
    exit 0
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
echo "making $venv (once)${wanted:+, with $wanted}" >&2
rm -f "$venv/ready"
"$python" -m venv --clear "$venv" # what another Python left in it would not fit
mark "$wanted" # for the next time, if what follows fails
install "$wanted"
