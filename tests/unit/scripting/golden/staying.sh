#!/bin/bash
# post_failover of protection files on alpha
#
# Rendered by dtam. Put what is yours between the marks ">>> your own commands" and "<<< your own commands": it is kept when the
# script is rendered again. A change anywhere else is noticed then: you are told, and the changed script is kept beside.
# To change it for good, change the template (scripts/templates).
#
# Run by the engine of this host, with JSON on standard input; by hand:
#   post_failover --dry-run                 what would be done
#   post_failover --run RUN_ID [STEP...]     do it (again: what is done stays done)
#   post_failover --run RUN_ID --undo        undo what that run did, last first
# While this host's engine says that another server has the service, post_failover takes nothing, unless --force is added.
# dtam: sealed sha256 574f7bd0cbae722b5264b309af00264fc36d9519e7d2d184f377ef43a346f42e
# shellcheck disable=SC2016,SC2317  # what stands in single quotes is data; functions are called by their numbers

set -u -o pipefail
export LC_ALL=C.UTF-8
SCRIPT=post_failover
PROTECTION='files on alpha'
STEPS=(names-to-target stay-here)
SENTENCES=('lead the names to the target' 'leave with beta for good what was taken')
UNDOS=('put every record back as it was' 'none, what was set aside is kept as FILE.left')

# ... runtime.sh ...

# --- names-to-target: lead the names to the target
look_0() {
  false # dfo looks itself, at every server
}
do_0() {
  dfo failover --source-name alpha.lab.example --server 10.0.0.5 --server 10.0.0.6:5353 --key-file /etc/dtam/dns.key --tolerate-silent --log "$NAMES_DIR"/dfo.log --source-ip 10.0.0.10 --target-ip 10.0.0.20 --source-ip 2001:db8::10 --target-ip 2001:db8::20 --zone example.org --target-name beta.lab.example --ttl 60  --undo-file "$NAMES_DIR"/alpha.lab.example.undo.json | tail -n 1
}
undo_0() {
  [[ ! -e "$NAMES_DIR"/alpha.lab.example.undo.json ]] ||
    dfo failback --source-name alpha.lab.example --server 10.0.0.5 --server 10.0.0.6:5353 --key-file /etc/dtam/dns.key --tolerate-silent --log "$NAMES_DIR"/dfo.log --undo-file "$NAMES_DIR"/alpha.lab.example.undo.json | tail -n 1
}
dry_0() {
  dfo failover --plan --source-name alpha.lab.example --server 10.0.0.5 --server 10.0.0.6:5353 --key-file /etc/dtam/dns.key --tolerate-silent --log "$NAMES_DIR"/dfo.log --source-ip 10.0.0.10 --target-ip 10.0.0.20 --source-ip 2001:db8::10 --target-ip 2001:db8::20 --zone example.org --target-name beta.lab.example --ttl 60  --undo-file "$NAMES_DIR"/alpha.lab.example.undo.json
}

# --- stay-here: leave with beta for good what was taken
look_1() {
  [[ -z ${WANTED[*]-} ]] # a failover is to be undone by its failback
}
do_1() {
  local one

  if [[ -e "$NAMES_DIR"/alpha.lab.example.undo.json ]]; then
    dfo unlock --source-name alpha.lab.example --server 10.0.0.5 --server 10.0.0.6:5353 --key-file /etc/dtam/dns.key --tolerate-silent --log "$NAMES_DIR"/dfo.log --undo-file "$NAMES_DIR"/alpha.lab.example.undo.json | tail -n 1 || return 1
    mv -f -- "$NAMES_DIR"/alpha.lab.example.undo.json "$NAMES_DIR"/alpha.lab.example.undo.json.left || return 1
  fi

  for one in "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}".*.json; do
    [[ ! -e $one ]] || mv -f -- "$one" "$one.left" || return 1
  done
  printf 'what was taken stays here\n'
}
beforehand_1() {
  : # it takes nothing from the source
}

# Commands of yours, after the last step; they run once a run. $DTAM_RUN_ID, $DTAM_EPOCH and $DTAM_PROTECTION are set.
own_commands() {
  :
# >>> your own commands
# <<< your own commands
}

main "$@"
