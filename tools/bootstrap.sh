#!/bin/sh
# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes .venv at the root from pinned requirements: tools/bootstrap.sh {lab|test|bench}. Safe to run at any time, and twice
# at once; costs nothing when it is up to date; what an interrupted call left behind is made anew. `bench` makes .venv-bench,
# which holds the tools that `make bench` compares with and is never mixed with what tests and playbooks use.
# EDGE_MESH_PYTHON names the interpreter to use; else the first Python 3.12 or newer found in the usual places.

set -eu
unset PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH # bytecode is wanted: without it each Ansible module starts slowly
level=${1:-lab}
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$root"
pins=requirements/$level.txt
venv=.venv
[ "$level" = bench ] && venv=.venv-bench
[ -f "$pins" ] || { echo "tools/bootstrap.sh: there is no $pins" >&2; exit 2; }

# A virtual environment works in one place and on one machine only, so the stamp holds the place too.
stamp_of() { echo "$(sha256sum <"requirements/$1.txt") $root"; }
up_to_date() {
    [ -x $venv/bin/python ] && [ ! -e $venv/.unfinished ] &&
        [ "$(cat "$venv/.stamp-$level" 2>/dev/null)" = "$(stamp_of "$level")" ]
}

# Whether $1 is a Python that can make the virtual environment.
fits() {
    "$1" -c 'import sys, ssl, venv, ensurepip; sys.exit(not (3, 12) <= sys.version_info[:2] < (3, 15))' 2>/dev/null
}

find_python() {
    if [ -n "${EDGE_MESH_PYTHON:-}" ]; then
        fits "$EDGE_MESH_PYTHON" && echo "$EDGE_MESH_PYTHON"
        return
    fi
    for minor in 12 13 14; do
        for python in "$(command -v "python3.$minor" || true)" "/usr/local/bin/python3.$minor" \
            "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$minor."*/bin/python3 "/opt/python/3.$minor"*/bin/python3 \
            "${XDG_DATA_HOME:-$HOME/.local/share}/uv/python/cpython-3.$minor"*/bin/python3; do
            if [ -x "$python" ] && fits "$python"; then
                echo "$python"
                return
            fi
        done
    done
    python=$(command -v python3 || true)
    if [ -n "$python" ] && fits "$python"; then echo "$python"; else return 1; fi
}

no_python() {
    {
        echo "No usable Python 3.12, 3.13 or 3.14 was found ${EDGE_MESH_PYTHON:+at EDGE_MESH_PYTHON=$EDGE_MESH_PYTHON }(the" \
            "modules ssl, venv and ensurepip must be there)."
        echo "Looked at: PATH, /usr/local/bin, /opt/python, pyenv's versions and uv's."
        echo "Get one, then run the same command again. Any of these will do:"
        echo "  Debian 13, Ubuntu 24.04 or newer:  apt-get install python3 python3-venv"
        echo "  pyenv (any Linux):                 pyenv install 3.12"
        echo "  uv (any Linux):                    uv python install 3.12"
        echo "  one that is elsewhere:             EDGE_MESH_PYTHON=/path/to/python3.12"
    } >&2
    exit 1
}

up_to_date && exit 0

mkdir -p .cache
if command -v flock >/dev/null; then
    exec 9>.cache/bootstrap.lock
    flock 9
    up_to_date && exit 0 # somebody else made it while we waited
fi

started=$(date +%s)
if [ ! -x $venv/bin/python ] || [ -e $venv/.unfinished ] || [ "$(cat $venv/.root 2>/dev/null)" != "$root" ]; then
    python=$(find_python) || no_python
    echo "Setting up $venv with $("$python" -c 'import sys; print(sys.version.split()[0], sys.executable)') ..."
    rm -rf $venv
    mkdir $venv
    : >$venv/.unfinished
    "$python" -m venv $venv
    echo "$root" >$venv/.root
fi
: >$venv/.unfinished
echo "Installing the pinned packages of $pins ..."
$venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check --require-hashes --only-binary :all: \
    -r "$pins" || { echo "Installing $pins failed: see pip's message above, then run the same command again." >&2; exit 1; }
mkdir -p $venv/collections/ansible_collections/edge
ln -sfn ../../../.. $venv/collections/ansible_collections/edge/mesh
stamp_of "$level" >"$venv/.stamp-$level"
[ "$level" = test ] && stamp_of lab >$venv/.stamp-lab # test.txt holds lab.txt's pins too: tests/architecture checks it
rm -f $venv/.unfinished
echo "Done in $(($(date +%s) - started)) s."
