#!/bin/sh
# Make the virtual environment .venv with dtam in it, on a machine that may lack ensurepip.
#
#   packaging/bootstrap.sh run|dev
#
# "run" installs what dtam needs, "dev" also what its tests need. Debian's python3 comes without ensurepip and pip; where that
# is so, pip is taken from Debian's package python3-pip-whl, which an ordinary user may download and unpack too.
set -eu

wanted=${1:-run}
venv=.venv
stamp=$venv/.ready-$wanted
python=${PYTHON:-python3}

say() { printf '%s\n' "$*" >&2; }
fail() { say "bootstrap: $1"; say "hint: $2"; exit 1; }

# Kerberos for Python is built from source: the tests have it where what it needs is there.
builds_kerberos() { command -v krb5-config >/dev/null && command -v gcc >/dev/null; }
fingerprint() { echo "$(cksum <pyproject.toml) $(builds_kerberos && echo kerberos)"; }

check_python() {
    command -v "$python" >/dev/null || fail "python3 is not installed" "apt-get install python3"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$("$python" --version 2>&1) is too old: dtam needs Python 3.11 or newer" "set PYTHON=/path/to/a/newer/python3"
}

make_empty_venv() {
    "$python" -m venv --without-pip "$venv" ||
        fail "$python cannot make a virtual environment here" "check that this directory is writable"
}

pip_from_debian() {
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
    chmod 755 "$dir"
    (cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download python3-pip-whl) ||
        fail "this python3 has no ensurepip, and Debian's package python3-pip-whl could not be downloaded" \
            "as root: apt-get update && apt-get install python3-venv"
    dpkg -x "$dir"/python3-pip-whl_*.deb "$dir/unpacked"
    wheel=$(echo "$dir"/unpacked/usr/share/python-wheels/pip-*.whl)
    "$venv/bin/python" "$wheel/pip" install --quiet --upgrade pip
}

install_pip() {
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$venv/bin/python" -m ensurepip --upgrade >/dev/null
    else
        pip_from_debian
    fi
}

install_dtam() {
    extras=""
    if [ "$wanted" = dev ]; then
        extras="[dev]"
        if builds_kerberos; then extras="[dev,kerberos]"; else say "without Kerberos (as root: apt-get install gcc libkrb5-dev)"; fi
    fi
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".$extras" ||
        fail "the Python packages could not be installed" "read pip's message above; a package index must be reachable"
}

check_python
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint)" ]; then
    exit 0
fi
say "preparing $venv ($wanted) ..."
[ -x "$venv/bin/python" ] || make_empty_venv
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || install_pip
install_dtam
fingerprint >"$stamp"
