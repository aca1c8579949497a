#!/bin/sh
# The installation of dtam's engine on this host, as root:
#
#   sh engine-host.sh install --package FILE --release ID [--name N] [--listen A] [--port P] [--data-port P] [--probe-port P]
#   sh engine-host.sh remove [--uninstall]
#   sh engine-host.sh token NAME
#
# With --dry-run it says what would be done and changes nothing. Every step looks before it acts, so that all of it may be run again.
# It prints one line a step: WORD, STEP, SENTENCE, parted by tabs; WORD is done, already, would, note, fact or failed.
set -eu
umask 022

prefix=/opt/dtam
releases=$prefix/releases
current=$prefix/current
previous=$prefix/previous
settings=/etc/dtam/dtengine.toml
cache=/var/cache/dtam
units="dtengine.service dtengine-fence@.service dtwitness.service"
programs="dtam dfo dtengine dtwitness"
answer_s=60
need_mb=300
tab=$(printf '\t')

verb=${1:-help}
[ $# -gt 0 ] && shift
package="" release="" name="" listen="" port="" facts="" data_port="" probe_port="" token="" dry=no uninstall=no partial="" started=""

tell() { printf '%s\t%s\t%s\n' "$1" "$2" "$3"; }
fail() { tell failed "$1" "$2${3:+$tab$3}"; exit 1; }

# act STEP SENTENCE LOOK DO: says "already" where LOOK is so, else does it.
act() {
    if "$3"; then tell already "$1" "$2"
    elif [ $dry = yes ]; then tell would "$1" "$2"
    else
        set +e
        said=$(set -e; "$4" 2>&1)
        code=$?
        set -e
        [ $code = 0 ] || fail "$1" "not so, that $2: $(printf '%s' "$said" | tail -n 1)"
        tell 'done' "$1" "$2"
    fi
}

# setting KEY: its text in the settings file, nothing where it is not there or cannot be read.
setting() {
    for one in "$current/bin/python3" /usr/bin/python3 /usr/local/bin/python3; do
        if [ ! -x "$one" ] || [ ! -e "$settings" ]; then continue; fi
        "$one" -I -c 'import sys, tomllib
print(tomllib.load(open(sys.argv[1], "rb")).get(sys.argv[2], ""))' "$settings" "$1" 2>/dev/null && return
    done
}
state=$(setting state || true)
state=${state:-/var/lib/dtam/engine}
# quoted TEXT: a string as TOML writes it.
quoted() { printf '"%s"' "$(printf '%s' "$1" | tr -d '[:cntrl:]' | sed 's/[\\"]/\\&/g')"; }

tidy_up() { [ -z "$partial" ] || rm -rf "$partial"; }
trap tidy_up EXIT
trap 'exit 129' HUP INT TERM PIPE

systemd_runs() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null; }
python_here() { for one in "/usr/bin/python$1" "/usr/local/bin/python$1"; do [ -x "$one" ] && { echo "$one"; return; }; done; command -v "python$1"; }
daemon_pid() {
    pid=$(tr -dc 0-9 2>/dev/null <"$state/lock") || return 1
    [ -n "$pid" ] && grep -qz dtengine "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
}
daemon_program() { tr '\0' '\n' <"/proc/$1/cmdline" | head -n 1; }
ask() { "$current/bin/dtengine" "$@" --state "$state" </dev/null; }
answers() { ask server --json >/dev/null 2>&1; }

# -- install

wanted_python() { echo "$release" | sed -n 's/.*-py\([0-9.]*\)-.*/\1/p'; }
wanted_machine() { echo "$release" | sed -n 's/.*-py[0-9.]*-\(.*\)$/\1/p'; }

check_words() {
    for one in "$port" "$data_port" "$probe_port"; do
        case $one in *[!0-9]*) fail check "the port $one is not a number" "give a number from 1 to 65535" ;; esac
    done
}

check_host() {
    check_words
    [ "$(id -u)" = 0 ] || fail check "this is not root" "run it as root, or as a user whom sudo lets in without a password"
    machine=$(uname -m)
    [ "$machine" = "$(wanted_machine)" ] || fail check "this machine is $machine, the package is for $(wanted_machine)" \
        "make the package on a machine of that kind: dtam hosts package"
    python=$(python_here "$(wanted_python)") || fail check "python$(wanted_python) is not installed" \
        "apt-get install python$(wanted_python), or make the package with the Python that is here"
    free_mb=$(df -Pm /opt 2>/dev/null | awk 'NR == 2 { print $4 }')
    [ "${free_mb:-$need_mb}" -ge $need_mb ] || fail check "/opt has $free_mb MB free, $need_mb MB are needed" "make room in /opt"
    check_ports
    tell already check "root, $machine, $python, ${free_mb:-?} MB free in /opt"
}

# A port that somebody else has would only be noticed when the engine has been stopped for its upgrade.
check_ports() {
    [ ! -e "$settings" ] && ! daemon_pid >/dev/null || return 0
    for one in "${port:-6320}" "${data_port:-6321}"; do
        "$python" -I -c 'import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family) as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind((sys.argv[1], int(sys.argv[2])))' "${listen:-0.0.0.0}" "$one" 2>/dev/null ||
            fail check "port $one at ${listen:-0.0.0.0} is taken, or the address is not this host's" \
                "see who has it: ss -ltnp; choose another with --port and --data-port, or another --listen"
    done
}

is_unpacked() { [ -x "$releases/$release/bin/dtengine" ]; }
unpack() {
    mkdir -p "$releases"
    rm -rf "$partial"
    mkdir -m 755 "$partial"
    tar -xzf "$package" -C "$partial" --no-same-owner
    make_environment "$partial" "$python"
    "$partial/bin/python3" -I -c 'import orchestrator.engine.control.daemon, orchestrator.engine.cli.dtengine'
    sync -f "$partial"
    mv "$partial" "$releases/$release"
}
# A virtual environment is three things: a link to the python, a file that says so, and the packages.
make_environment() {
    mkdir -p "$1/bin"
    ln -sfn "$2" "$1/bin/python3"
    ln -sfn python3 "$1/bin/python"
    printf 'home = %s\ninclude-system-site-packages = false\nversion = %s\n' "$(dirname "$2")" "$(wanted_python)" >"$1/pyvenv.cfg"
    while read -r program module function; do
        printf '#!%s/bin/python3 -I\nimport sys\n\nfrom %s import %s\n\nsys.exit(%s())\n' \
            "$releases/$release" "$module" "$function" "$function" >"$1/bin/$program"
        chmod 755 "$1/bin/$program"
    done <"$1/host/programs"
}

built() { (cd "$releases/$release/host/capture" 2>/dev/null && ls) || true; }
capture_is_there() { for one in $(built); do [ -x "$cache/$one" ] || return 1; done; }
lay_capture() {
    mkdir -p "$cache"
    chmod 700 "$cache"
    for one in $(built); do
        cp "$releases/$release/host/capture/$one" "$cache/.$one.new"
        chmod 700 "$cache/.$one.new"
        mv "$cache/.$one.new" "$cache/$one"
    done
}
note_weaker_capture() {
    if [ ! -e /dev/fuse ] || ! command -v fusermount3 >/dev/null || ! ldconfig -p | grep -q 'libfuse3\.so\.3'; then
        tell note capture "FUSE cannot be had here: the watcher is taken, which is weaker (apt-get install fuse3, then restart dtengine)"
    fi
}

groups_are_there() { getent group dtadmin >/dev/null && getent group dtmon >/dev/null; }
make_groups() {
    for one in dtadmin dtmon; do
        getent group "$one" >/dev/null && continue
        groupadd --system "$one"
        echo "$one" >>"$prefix/made-groups"
    done
}

# People may change what is laid: an upgrade leaves it, a removal takes only what is still ours.
pam_service=/etc/pam.d/dtam
has_login() { [ -e $pam_service ] || [ ! -e /etc/pam.d/common-auth ]; }
lay_login() { install -m 644 "$releases/$release/host/dtam.pam" $pam_service; }
note_no_login() {
    [ -e /etc/pam.d/common-auth ] ||
        tell note login "there is no /etc/pam.d/common-auth to go by: nobody logs in by password until you write $pam_service"
}
no_login() { [ ! -e $pam_service ] || ! cmp -s "$current/host/dtam.pam" $pam_service; }
drop_login() { rm -f $pam_service; }

has_settings() { [ -e "$settings" ]; }
write_settings() {
    mkdir -p /etc/dtam
    {
        echo "# Settings of this host's engine: dtengine run --help. An upgrade leaves this file as it is."
        [ -z "$name" ] || printf 'name = %s\n' "$(quoted "$name")"
        [ -z "$listen" ] || printf 'address = %s\n' "$(quoted "$listen")"
        [ -z "$port" ] || echo "control_port = $port"
        [ -z "$data_port" ] || echo "data_port = $data_port"
        [ -z "$probe_port" ] || echo "probe_port = $probe_port"
        printf 'state = %s\n' "$(quoted "$state")"
    } >"$settings.new"
    sync "$settings.new"
    mv "$settings.new" "$settings"
}
has_state() { [ -d /var/lib/dtam ] && [ "$(stat -c %a /var/lib/dtam)" = 711 ]; }
make_state() { mkdir -p /var/lib/dtam && chmod 711 /var/lib/dtam; }

units_are_laid() { for one in $units; do cmp -s "$releases/$release/host/$one" "/etc/systemd/system/$one" || return 1; done; }
lay_units() { lay_units_of "$release"; }
lay_units_of() {
    mkdir -p /etc/systemd/system
    for one in $units; do install -m 644 "$releases/$1/host/$one" "/etc/systemd/system/$one"; done
    if systemd_runs; then systemctl daemon-reload; fi
}
is_enabled() { [ -L /etc/systemd/system/multi-user.target.wants/dtengine.service ]; }
enable_unit() {
    mkdir -p /etc/systemd/system/multi-user.target.wants
    ln -sfn ../dtengine.service /etc/systemd/system/multi-user.target.wants/dtengine.service
    if systemd_runs; then systemctl daemon-reload; fi
}

pointed() { readlink "$1" 2>/dev/null | sed 's#^releases/##'; }
is_current() { [ "$(pointed "$current")" = "$release" ]; }
# What is pointed to is on the disk before the pointer: a power cut leaves the release before, or this one whole.
point_to() { sync -f "$releases" && ln -sfn "releases/$1" "$current.new" && mv -T "$current.new" "$current" && sync -f "$prefix"; }
make_current() {
    if [ -L "$current" ]; then cp -Pf "$current" "$previous.new" && mv -T "$previous.new" "$previous"; fi
    point_to "$release"
}
has_programs() { for one in $programs; do [ -e "/usr/local/bin/$one" ] || return 1; done; }
link_programs() {
    mkdir -p /usr/local/bin
    for one in $programs; do [ -e "/usr/local/bin/$one" ] || ln -sfn "$current/bin/$one" "/usr/local/bin/$one"; done
}

runs_release() {
    found=$(daemon_pid) && [ "$(daemon_program "$found")" = "$releases/$release/bin/python3" ] && answers
}
stop_engine() {
    if systemd_runs; then systemctl stop dtengine.service; fi
    found=$(daemon_pid) || return 0
    kill "$found"
    left=$((answer_s * 10))
    while daemon_pid >/dev/null; do
        left=$((left - 1))
        [ $left -gt 0 ] || { echo "the engine (process $found) does not end"; return 1; }
        sleep 0.1
    done
}
# Left alone by the shell that starts it: descriptors, session and directory of its own.
start_engine() {
    if systemd_runs; then systemctl start dtengine.service; return; fi
    (umask 077 && : >>/var/lib/dtam/dtengine.log) # what the engine says is root's alone
    (cd / && umask 077 && exec setsid "$current/bin/dtengine" run --config "$settings") \
        </dev/null >>/var/lib/dtam/dtengine.log 2>&1 &
    started=$!
}
# A connection that ends meanwhile must not leave the host without its engine.
restart_engine() {
    trap : HUP INT TERM PIPE
    stop_engine && start_engine && await_answer
}
await_answer() {
    left=$((answer_s * 5))
    until answers; do
        left=$((left - 1))
        [ -z "$started" ] || grep -qz . "/proc/$started/cmdline" 2>/dev/null || { echo "the engine ended as soon as it began"; return 1; }
        [ $left -gt 0 ] || { echo "the engine does not answer within $answer_s s"; return 1; }
        sleep 0.2
    done
}

# Where the new engine does not answer, the one before goes on.
run_engine() {
    sentence="the engine runs release $release and answers"
    if [ $dry = no ] && runs_release; then tell already engine "$sentence"; return; fi
    if [ $dry = yes ]; then tell would engine "start the engine, or restart it; captures go on meanwhile"; return; fi
    if said=$(restart_engine 2>&1); then tell 'done' engine "$sentence"; return; fi
    why=$(printf '%s' "$said" | tail -n 1)
    if [ -z "$before" ]; then
        fail engine "$why" "see why: journalctl -u dtengine, or $current/bin/dtengine run --config $settings"
    fi
    point_to "$before"
    lay_units_of "$before"
    if restart_engine >/dev/null 2>&1; then fail engine "$why; release $before runs again" "see why: journalctl -u dtengine, or /var/lib/dtam/dtengine.log"; fi
    fail engine "$why, and release $before does not either" "see why: journalctl -u dtengine, or $current/bin/dtengine run --config $settings"
}

only_two_releases() { [ -z "$(old_releases)" ]; }
old_releases() {
    for one in "$releases"/* "$releases"/.*.partial; do
        case ${one##*/} in "$release" | "$before" | '*' | '.*.partial') ;; *) echo "$one" ;; esac
    done
}
drop_old_releases() { old_releases | while read -r one; do rm -rf "$one"; done; }

install_engine() {
    [ -n "$release" ] || fail check "no release is given" "--release ID"
    partial=$releases/.$release.partial
    if is_current; then before=$(pointed "$previous"); else before=$(pointed "$current"); fi
    check_host
    act unpack "the release is in $releases/$release" is_unpacked unpack
    act capture "the capture program is in $cache" capture_is_there lay_capture
    note_weaker_capture
    act groups "the groups dtadmin (may act) and dtmon (may look) are there" groups_are_there make_groups
    act login "accounts of this host log in by $pam_service" has_login lay_login
    note_no_login
    act settings "settings are in $settings" has_settings write_settings
    act state "state goes to $state" has_state make_state
    act units "units are in /etc/systemd/system" units_are_laid lay_units
    act enable "dtengine.service is started at every boot" is_enabled enable_unit
    systemd_runs || tell note systemd "systemd does not run on this host: the unit is laid, the engine is started by hand, and not at boot"
    act current "$current is release $release" is_current make_current
    act programs "dtam, dfo, dtengine and dtwitness are in /usr/local/bin" has_programs link_programs
    run_engine
    [ $dry = yes ] && return
    act tidy "no more than this release and the one before are kept" only_two_releases drop_old_releases
    facts=$(ask server --json)
    for one in fingerprint control_port version; do tell fact $one "$(fact $one)"; done
}
fact() { printf '%s\n' "$facts" | sed -n "s/^ *\"$1\": *\"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p"; }

# -- token

give_token() {
    ask token revoke "$token" >/dev/null 2>&1 || true
    ask token create "$token" --scope admin --json
}

# -- remove

captures() { awk '$3 == "fuse.dtcapture" { print $2 }' /proc/self/mounts; }
refuse_while_used() {
    [ -x "$current/bin/dtengine" ] || return 0
    if ! answers; then
        [ -z "$(captures)" ] && return 0
        fail use "the engine does not answer, and $(captures | head -n 1) is still captured" "start the engine first: systemctl start dtengine"
    fi
    used=$(ask protections list | cut -f 1 | tr '\n' ' ')
    [ -z "$used" ] || fail use "the engine has a part in ${used% }" "disable it first: dtam disable --protection ${used%% *}"
    used=$(ask connections list | cut -f 2,3 | tr '\t\n' '> ')
    [ -z "$used" ] || fail use "it replicates ${used% }" "end that first: dtengine connections disconnect"
    tell already use "no protection and no connection uses this engine"
}
nothing_captured() { [ -z "$(captures)" ]; }
end_captures() { ask mounts list | cut -f 1 | while read -r one; do ask mounts remove "$one" || exit 1; done && nothing_captured; }
is_stopped() { ! daemon_pid >/dev/null; }
stop_for_good() {
    stop_engine
    if systemd_runs; then systemctl disable dtengine.service; fi
}
no_units() { for one in $units; do [ ! -e "/etc/systemd/system/$one" ] || return 1; done; }
drop_units() {
    rm -f /etc/systemd/system/multi-user.target.wants/dtengine.service
    for one in $units; do rm -f "/etc/systemd/system/$one"; done
    if systemd_runs; then systemctl daemon-reload; fi
}
no_programs() { [ ! -e $prefix ] && [ ! -e $cache ]; }
drop_programs() {
    for one in $programs; do
        case $(readlink "/usr/local/bin/$one" 2>/dev/null) in $prefix/*) rm -f "/usr/local/bin/$one" ;; esac
    done
    drop_groups
    rm -rf "$prefix" "$cache"
}
# A group that somebody was put into is no longer ours.
drop_groups() {
    [ -e "$prefix/made-groups" ] || return 0
    while read -r one; do
        [ -n "$(getent group "$one" | cut -d: -f4)" ] || groupdel "$one" || true
    done <"$prefix/made-groups"
}
kept() { find "$state/set-aside" -type f 2>/dev/null | head -n 1; }
no_state() { [ ! -e "$state" ] && [ ! -e "$settings" ]; }
drop_state() {
    memory=$(setting memory_directory || true)
    rm -rf "$settings" "${memory:-/dev/shm/dtam-0}" /var/lib/dtam/dtengine.log
    if [ -z "$(kept)" ]; then rm -rf "$state"; else find "$state" -mindepth 1 -maxdepth 1 ! -name set-aside -exec rm -rf {} +; fi
    rmdir /etc/dtam /var/lib/dtam 2>/dev/null || true
}

remove_engine() {
    [ "$(id -u)" = 0 ] || fail check "this is not root" "run it as root, or as a user whom sudo lets in without a password"
    refuse_while_used
    [ $uninstall = yes ] || return 0
    act captures "nothing is captured; the files stay where they are" nothing_captured end_captures
    act stop "the engine does not run" is_stopped stop_for_good
    act units "no unit is in /etc/systemd/system" no_units drop_units
    act login "$pam_service is not ours any more" no_login drop_login
    act state "its keys, journals and settings are gone; protected files are untouched" no_state drop_state
    [ -z "$(kept)" ] || tell note state "files that were set aside are kept in $state/set-aside"
    act programs "$prefix and $cache are gone" no_programs drop_programs
}

while [ $# -gt 0 ]; do
    case $1 in
        --package) package=$2; shift ;;
        --release) release=$2; shift ;;
        --name) name=$2; shift ;;
        --listen) listen=$2; shift ;;
        --port) port=$2; shift ;;
        --data-port) data_port=$2; shift ;;
        --probe-port) probe_port=$2; shift ;;
        --dry-run) dry=yes ;;
        --uninstall) uninstall=yes ;;
        -*) fail check "the option $1 is not known" "sh engine-host.sh help" ;;
        *) token=$1 ;;
    esac
    shift
done
case $verb in
    install) install_engine ;;
    remove) remove_engine ;;
    token) give_token ;;
    *) sed -n '2,9p' "$0"; exit 2 ;;
esac
