#!/bin/sh
# systemctl on a host of the lab, which has no systemd: as much of it as is asked for, over units that are one command each.
# /etc/lab/units/NAME holds the command, NAME.enabled is there when it starts at boot; what runs is in /run/units and goes with the power.
set -u
units=/etc/lab/units running=/run/units
mkdir -p "$running"

fail() { echo "$2" >&2; exit "$1"; }
runs() { [ -s "$running/$1.pid" ] && kill -0 "$(cat "$running/$1.pid")" 2>/dev/null && [ -n "$(tr -d '\0' <"/proc/$(cat "$running/$1.pid")/cmdline" 2>/dev/null)" ]; }
state() { if runs "$1"; then echo active; elif [ -e "$running/$1.pid" ]; then echo failed; else echo inactive; fi; }
start() {
    runs "$1" && return
    setsid sh -c "exec $(cat "$units/$1")" </dev/null >>"/var/log/$1.log" 2>&1 &
    echo $! >"$running/$1.pid"
}
stop() {
    if runs "$1"; then
        kill "$(cat "$running/$1.pid")"
        left=900
        while runs "$1" && [ $left -gt 0 ]; do sleep 0.1; left=$((left - 1)); done
        runs "$1" && kill -9 "$(cat "$running/$1.pid")"
    fi
    rm -f "$running/$1.pid"
}

words="" block=yes quiet=no properties="" signal=TERM
for word; do
    case $word in
        --no-block) block=no ;;
        --quiet) quiet=yes ;;
        --property=*) properties=${word#*=} ;;
        --signal=*) signal=${word#*=} ;;
        --*) ;;
        *) words="$words $word" ;;
    esac
done
# shellcheck disable=SC2086  # a list of words on purpose
set -- $words
verb=${1:-} unit=${2:-}
unit=${unit%.service}
[ "$verb" = daemon-reload ] && exit 0
if [ "$verb" = boot ]; then
    for one in "$units"/*.enabled; do
        [ -e "$one" ] && start "$(basename "$one" .enabled)"
    done
    exit 0
fi
if [ ! -e "$units/$unit" ]; then
    case $verb in
        show) printf 'ActiveState=inactive\nMainPID=0\nLoadState=not-found\n'; exit 0 ;;
        is-active) [ $quiet = yes ] || echo inactive; exit 4 ;;
        *) fail 5 "Unit $unit.service not found." ;;
    esac
fi
case $verb in
    start) start "$unit" ;;
    stop) if [ $block = no ]; then stop "$unit" & else stop "$unit"; fi ;;
    restart) stop "$unit"; start "$unit" ;;
    try-restart) if runs "$unit"; then stop "$unit"; start "$unit"; fi ;;
    kill) runs "$unit" && kill -s "${signal#SIG}" "$(cat "$running/$unit.pid")" ;;
    enable) : >"$units/$unit.enabled" ;;
    disable) rm -f "$units/$unit.enabled" ;;
    is-enabled) if [ -e "$units/$unit.enabled" ]; then echo enabled; else echo disabled; exit 1; fi ;;
    is-active) [ $quiet = yes ] || state "$unit"; runs "$unit" || exit 3 ;;
    show)
        pid=0
        runs "$unit" && pid=$(cat "$running/$unit.pid")
        printf 'ActiveState=%s\nMainPID=%s\nLoadState=loaded\n' "$(state "$unit")" "$pid" | grep -E "^($(echo "${properties:-.*}" | tr , '|'))=" || true
        ;;
    *) fail 1 "Unknown command verb $verb." ;;
esac
