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
# dtam: sealed sha256 956c6fa0ecc631043299aeb9a1fc2d3af2d67ae63c7832ac8ca6224d74e92414
# shellcheck disable=SC2016,SC2317  # what stands in single quotes is data; functions are called by their numbers

set -u -o pipefail
export LC_ALL=C.UTF-8
SCRIPT=post_failover
PROTECTION='files on alpha'
STEPS=(keep-shares drop-shares)
SENTENCES=('keep the shares ready' 'take the waiting shares away')
UNDOS=('take the closed ones away again' 'make them beforehand again')

# ... runtime.sh ...

# --- keep-shares: keep the shares ready
look_0() {
  [[ -z ${WANTED[*]-} ]] # a failover opens them in a step of its own
}
do_0() {
  dtam step shares keep --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.kept-shares.json" --newest "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.newest-shares.json" <<<'{"shares": []}'
}
undo_0() {
  dtam step shares drop --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.kept-shares.json" --newest "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.newest-shares.json" <<<'{"shares": []}'
}
dry_0() {
  dtam step shares keep --dry-run --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.kept-shares.json" --newest "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.newest-shares.json" <<<'{"shares": []}'
}
beforehand_0() {
  : # it takes nothing from the source
}

# --- drop-shares: take the waiting shares away
look_1() {
  [[ -z ${WANTED[*]-} ]] # only the end of a protection asks for it
}
do_1() {
  dtam step shares drop --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.kept-shares.json" --newest "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.newest-shares.json" <<<'{"shares": []}'
}
undo_1() {
  dtam step shares keep --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.kept-shares.json" --newest "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.newest-shares.json" <<<'{"shares": []}'
}
dry_1() {
  dtam step shares drop --dry-run --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.kept-shares.json" --newest "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.newest-shares.json" <<<'{"shares": []}'
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
