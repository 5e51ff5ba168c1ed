#!/bin/sh
# Make a virtual environment with pip: venv.sh FOLDER
# Debian's python3 has no ensurepip, so python3 -m venv fails there. Then two other ways are tried.
set -eu

folder=$1
python=${PYTHON:-python3}

fail() {
    echo "$1" >&2
    exit 1
}

has_pip() {
    "$folder/bin/python" -m pip --version >/dev/null 2>&1
}

plain() {
    "$python" -m venv --clear "$folder" >/dev/null 2>&1 && has_pip
}

from_debian() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends python3-venv >&2
    plain
}

from_another_pip() {
    "$python" -m venv --clear --without-pip "$folder" >/dev/null 2>&1 || return 1
    for pip in "$python -m pip" "python3 -m pip" pip3 pip; do
        $pip --python "$folder/bin/python" install --quiet pip >/dev/null 2>&1 && has_pip && return
    done
    return 1
}

command -v "$python" >/dev/null || fail "There is no $python: install Python 3.11 or newer."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version 2>&1) is too old: set PYTHON to Python 3.11 or newer."
[ -d "$folder" ] && has_pip && "$folder/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' && exit 0
plain || from_debian || from_another_pip ||
    fail "$python cannot make virtual environments: install python3-venv (on Debian) or pip."
