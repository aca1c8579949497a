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
# dtam: sealed sha256 497df2fd8f4399c8b42dd09cfe215258eb5bfe7212d24107e779c197572787b5
# shellcheck disable=SC2016,SC2317  # what stands in single quotes is data; functions are called by their numbers

set -u -o pipefail
export LC_ALL=C.UTF-8
SCRIPT=pre_failback
PROTECTION='files on alpha'
STEPS=(give-spns give-addresses give-names give-shares)
SENTENCES=('do give-spns' 'do give-addresses' 'do give-names' 'do give-shares')
UNDOS=('take them over again' 'take them over again' 'take the source'"'"'s names over again' 'put them here again')

# ... runtime.sh ...

# --- give-spns: do give-spns
look_0() {
  false # dtam step looks itself
}
do_0() {
  dtam step spns back --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.spns.json" <<<'{"x": "\u003c\u0026\u0027\n\u003e"}'
}
undo_0() {
  dtam step spns take --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.spns.json" <<<'{"x": "\u003c\u0026\u0027\n\u003e"}'
}
dry_0() {
  dtam step spns back --dry-run --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.spns.json" <<<'{"x": "\u003c\u0026\u0027\n\u003e"}'
}

# --- give-addresses: do give-addresses
look_1() {
  false # dtam step looks itself
}
do_1() {
  dtam step addresses back --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.addresses.json" <<<'{"x": "\u003c\u0026\u0027\n\u003e"}'
}
undo_1() {
  dtam step addresses take --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.addresses.json" <<<'{"x": "\u003c\u0026\u0027\n\u003e"}'
}
dry_1() {
  dtam step addresses back --dry-run --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.addresses.json" <<<'{"x": "\u003c\u0026\u0027\n\u003e"}'
}

# --- give-names: do give-names
look_2() {
  false # dtam step looks itself
}
do_2() {
  dtam step names back --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.names.json" <<<'{"x": "\u003c\u0026\u0027\n\u003e"}'
}
undo_2() {
  dtam step names take --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.names.json" <<<'{"x": "\u003c\u0026\u0027\n\u003e"}'
}
dry_2() {
  dtam step names back --dry-run --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.names.json" <<<'{"x": "\u003c\u0026\u0027\n\u003e"}'
}

# --- give-shares: do give-shares
look_3() {
  false # dtam step looks itself
}
do_3() {
  dtam step shares back --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.shares.json" --newest "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.newest-shares.json" <<<'{"x": "\u003c\u0026\u0027\n\u003e"}'
}
undo_3() {
  dtam step shares take --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.shares.json" --newest "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.newest-shares.json" <<<'{"x": "\u003c\u0026\u0027\n\u003e"}'
}
dry_3() {
  dtam step shares back --dry-run --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.shares.json" --newest "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.newest-shares.json" <<<'{"x": "\u003c\u0026\u0027\n\u003e"}'
}

# Commands of yours, after the last step; they run once a run. $DTAM_RUN_ID, $DTAM_EPOCH and $DTAM_PROTECTION are set.
own_commands() {
  :
# >>> your own commands
# <<< your own commands
}

main "$@"
