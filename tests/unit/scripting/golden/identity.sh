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
# dtam: sealed sha256 f6433eaada7f52a73dfdee48483e3c3ba0302796f2c16c5fe3f18f58b0fbdc31
# shellcheck disable=SC2016,SC2317  # what stands in single quotes is data; functions are called by their numbers

set -u -o pipefail
export LC_ALL=C.UTF-8
SCRIPT=post_failover
PROTECTION='files on alpha'
STEPS=(put-shares take-names take-addresses take-spns)
SENTENCES=('do put-shares' 'do take-names' 'do take-addresses' 'do take-spns')
UNDOS=('take them away again' 'let it answer under its own names only' 'give them back, and remove exactly those that were added' 'take them away here, then give them back to the source'"'"'s account')

# ... runtime.sh ...

# --- put-shares: do put-shares
look_0() {
  false # dtam step looks itself
}
do_0() {
  dtam step shares take --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.shares.json" --newest "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.newest-shares.json" <<<'{"shares": [{"name": "it\u0027s", "path": "/srv/$(x) `y`"}]}'
}
undo_0() {
  dtam step shares back --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.shares.json" --newest "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.newest-shares.json" <<<'{"shares": [{"name": "it\u0027s", "path": "/srv/$(x) `y`"}]}'
}
dry_0() {
  dtam step shares take --dry-run --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.shares.json" --newest "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.newest-shares.json" <<<'{"shares": [{"name": "it\u0027s", "path": "/srv/$(x) `y`"}]}'
}

# --- take-names: do take-names
look_1() {
  false # dtam step looks itself
}
do_1() {
  dtam step names take --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.names.json" <<<'{"netbios": ["ALPHA"]}'
}
undo_1() {
  dtam step names back --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.names.json" <<<'{"netbios": ["ALPHA"]}'
}
dry_1() {
  dtam step names take --dry-run --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.names.json" <<<'{"netbios": ["ALPHA"]}'
}

# --- take-addresses: do take-addresses
look_2() {
  false # dtam step looks itself
}
do_2() {
  dtam step addresses take --undo '/var/lib/a b.json' <<<'{"addresses": []}'
}
undo_2() {
  dtam step addresses back --undo '/var/lib/a b.json' <<<'{"addresses": []}'
}
dry_2() {
  dtam step addresses take --dry-run --undo '/var/lib/a b.json' <<<'{"addresses": []}'
}

# --- take-spns: do take-spns
look_3() {
  false # dtam step looks itself
}
do_3() {
  dtam step spns take --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.spns.json" <<<'{"names": ["alpha"], "source": "ALPHA$"}'
}
undo_3() {
  dtam step spns back --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.spns.json" <<<'{"names": ["alpha"], "source": "ALPHA$"}'
}
dry_3() {
  dtam step spns take --dry-run --undo "${NAMES_DIR%/*}/identity/${PROTECTION//[^A-Za-z0-9_-]/_}.spns.json" <<<'{"names": ["alpha"], "source": "ALPHA$"}'
}

# Commands of yours, after the last step; they run once a run. $DTAM_RUN_ID, $DTAM_EPOCH and $DTAM_PROTECTION are set.
own_commands() {
  :
# >>> your own commands
# <<< your own commands
}

main "$@"
