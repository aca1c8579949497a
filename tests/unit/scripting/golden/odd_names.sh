#!/bin/bash
# pre_failover of protection files on alpha
#
# Rendered by dtam. Put what is yours between the marks ">>> your own commands" and "<<< your own commands": it is kept when the
# script is rendered again. A change anywhere else is noticed then: you are told, and the changed script is kept beside.
# To change it for good, change the template (scripts/templates).
#
# Run by the engine of this host, with JSON on standard input; by hand:
#   pre_failover --dry-run                 what would be done
#   pre_failover --run RUN_ID [STEP...]     do it (again: what is done stays done)
#   pre_failover --run RUN_ID --undo        undo what that run did, last first
# While this host's engine says that another server has the service, post_failover takes nothing, unless --force is added.
# dtam: sealed sha256 9934931c033d86f322ce9fcd1a09a6ee331f789d3bf7cba0c540ba907fc13c3e
# shellcheck disable=SC2016,SC2317  # what stands in single quotes is data; functions are called by their numbers

set -u -o pipefail
export LC_ALL=C.UTF-8
SCRIPT=pre_failover
PROTECTION='files on alpha'
STEPS=('it'"'"'s "odd"; $(touch x)' asked wait short-ttl unit)
SENTENCES=($'line one\x0a# >>> your own commands\x0arm -rf /' ask wait 'lower the TTL' start)
UNDOS=('the undo command, where one is given' 'none, asking changes nothing' 'none, time passes one way' 'give every record the TTL it had' 'stop it')

# ... runtime.sh ...

# --- it's "odd"; $(touch x): line one # >>> your own commands rm -rf /
look_0() {
  false # nothing tells whether it is done
}
do_0() {
  printf $'%s\x0a' 'a'"'"'b' '$HOME "x" `id`' $'new\x0aline' 'é ü'
}
undo_0() {
  echo $'back\x09tab'
}

# --- asked: ask
look_1() {
  false # it is asked every time
}
do_1() {
  dfo ask --source-name a.lab.example --budget 30 -- smbclient '//{name}/a b' -c ls
}
dry_1() {
  printf '  it would be asked for up to %s s\n' 30
}

# --- wait: wait
look_2() {
  false # waiting is always still to be done
}
do_2() {
  sleep 1.5 && printf 'waited %s s\n' 1.5
}

# --- short-ttl: lower the TTL
look_3() {
  false # dfo looks itself, at every server
}
do_3() {
  dfo ttl --source-name alpha.lab.example --server 10.0.0.5 --server 10.0.0.6:5353 --key-file /etc/dtam/dns.key --tolerate-silent --log "$NAMES_DIR"/dfo.log --source-ip 10.0.0.10 --target-ip 10.0.0.20 --source-ip 2001:db8::10 --target-ip 2001:db8::20 --zone example.org --ttl 60  --undo-file "$NAMES_DIR"/alpha.lab.example.ttl.json | tail -n 1
}
undo_3() {
  [[ ! -e "$NAMES_DIR"/alpha.lab.example.ttl.json ]] ||
    dfo ttl --restore --source-name alpha.lab.example --server 10.0.0.5 --server 10.0.0.6:5353 --key-file /etc/dtam/dns.key --tolerate-silent --log "$NAMES_DIR"/dfo.log --undo-file "$NAMES_DIR"/alpha.lab.example.ttl.json | tail -n 1
}

# --- unit: start
look_4() {
  systemctl is-active --quiet 'a b@c.service'
}
do_4() {
  systemctl start 'a b@c.service' && printf 'unit %s is active\n' 'a b@c.service'
}
undo_4() {
  systemctl stop 'a b@c.service' && printf 'unit %s is stopped\n' 'a b@c.service'
}

# Commands of yours, after the last step; they run once a run. $DTAM_RUN_ID, $DTAM_EPOCH and $DTAM_PROTECTION are set.
own_commands() {
  :
# >>> your own commands
# <<< your own commands
}

main "$@"
