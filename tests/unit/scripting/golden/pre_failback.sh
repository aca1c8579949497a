#!/bin/bash
# pre_failback of protection files on alpha
#
# Rendered by dtam. Put what is yours between the marks ">>> your own commands" and "<<< your own commands": it is kept when the
# script is rendered again. A change anywhere else is noticed then: you are told, and the changed script is kept beside.
# To change it for good, change the template (scripts/templates).
#
# Run by the engine of this host, with JSON on standard input; by hand:
#   pre_failback --dry-run                 what would be done
#   pre_failback --run RUN_ID [STEP...]     do it (again: what is done stays done)
#   pre_failback --run RUN_ID --undo        undo what that run did, last first
# While this host's engine says that another server has the service, post_failover takes nothing, unless --force is added.
# dtam: sealed sha256 b1707cd6cd4716c07ad8939661f55eb7e9528b46b6a0c2eb343582ecacdb7a1a
# shellcheck disable=SC2016,SC2317  # what stands in single quotes is data; functions are called by their numbers

set -u -o pipefail
export LC_ALL=C.UTF-8
SCRIPT=pre_failback
PROTECTION='files on alpha'
STEPS=(stop-files stop-smbd names-to-source)
SENTENCES=('stop files' 'stop smbd' 'put names back')
UNDOS=('start it' 'start it' 'lead the names to the target again')

# ... runtime.sh ...

# --- stop-files: stop files
look_0() {
  [[ $(service_state files) == stopped ]]
}
do_0() {
  dtengine services stop files "${ENGINE[@]}" >/dev/null && printf 'service %s is stopped\n' files
}
undo_0() {
  dtengine services start files "${ENGINE[@]}" >/dev/null && printf 'service %s runs\n' files
}

# --- stop-smbd: stop smbd
look_1() {
  ! systemctl is-active --quiet smbd.service
}
do_1() {
  systemctl stop smbd.service && printf 'unit %s is stopped\n' smbd.service
}
undo_1() {
  systemctl start smbd.service && printf 'unit %s is active\n' smbd.service
}

# --- names-to-source: put names back
look_2() {
  false # dfo looks itself, at every server
}
do_2() {
  dfo failback --source-name alpha.lab.example --server 10.0.0.5 --server 10.0.0.6:5353 --key-file /etc/dtam/dns.key --tolerate-silent --log "$NAMES_DIR"/dfo.log --undo-file "$NAMES_DIR"/alpha.lab.example.undo.json | tail -n 1
}
undo_2() {
  dfo failover --source-name alpha.lab.example --server 10.0.0.5 --server 10.0.0.6:5353 --key-file /etc/dtam/dns.key --tolerate-silent --log "$NAMES_DIR"/dfo.log --source-ip 10.0.0.10 --target-ip 10.0.0.20 --source-ip 2001:db8::10 --target-ip 2001:db8::20 --zone example.org --target-name beta.lab.example --ttl 60  --undo-file "$NAMES_DIR"/alpha.lab.example.undo.json | tail -n 1
}
dry_2() {
  dfo failback --plan --source-name alpha.lab.example --server 10.0.0.5 --server 10.0.0.6:5353 --key-file /etc/dtam/dns.key --tolerate-silent --log "$NAMES_DIR"/dfo.log --undo-file "$NAMES_DIR"/alpha.lab.example.undo.json
}

# Commands of yours, after the last step; they run once a run. $DTAM_RUN_ID, $DTAM_EPOCH and $DTAM_PROTECTION are set.
own_commands() {
  :
# >>> your own commands
# <<< your own commands
}

main "$@"
