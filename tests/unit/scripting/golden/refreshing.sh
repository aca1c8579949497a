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
# dtam: sealed sha256 2afacef163fa0b126029d210f574611e268026208a6325595f18c805bb152bb1
# shellcheck disable=SC2016,SC2317  # what stands in single quotes is data; functions are called by their numbers

set -u -o pipefail
export LC_ALL=C.UTF-8
SCRIPT=post_failover
PROTECTION='files on alpha'
STEPS=(refresh-names)
SENTENCES=('register the names again')
UNDOS=('nothing, the records stay what they are')

# ... runtime.sh ...

# --- refresh-names: register the names again
look_0() {
  [[ -z ${WANTED[*]-} ]] # a failover has just written them
}
do_0() {
  dfo refresh --source-name alpha.lab.example --server 10.0.0.5 --server 10.0.0.6:5353 --key-file /etc/dtam/dns.key --tolerate-silent --log "$NAMES_DIR"/dfo.log --undo-file "$NAMES_DIR"/alpha.lab.example.undo.json | tail -n 1
}

# Commands of yours, after the last step; they run once a run. $DTAM_RUN_ID, $DTAM_EPOCH and $DTAM_PROTECTION are set.
own_commands() {
  :
# >>> your own commands
# <<< your own commands
}

main "$@"
