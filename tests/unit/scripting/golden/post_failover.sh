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
# dtam: sealed sha256 7b17d0fef0efebb94c97f6fca6ea7fb02ab558cc67f9681472e00c5581aee9d0
# shellcheck disable=SC2016,SC2317  # what stands in single quotes is data; functions are called by their numbers

set -u -o pipefail
export LC_ALL=C.UTF-8
SCRIPT=post_failover
PROTECTION='files on alpha'
STEPS=(data start-files names-to-target clients-served)
SENTENCES=('see that /srv/files is here' 'start service files on beta' 'lead the names to beta' 'see that clients are served')
UNDOS=('none, looking changes nothing' 'stop it' 'put every record back as it was' 'none, asking changes nothing')

# ... runtime.sh ...

# --- data: see that /srv/files is here
look_0() {
  [[ -d /srv/files && -r /srv/files && -x /srv/files ]]
}
do_0() {
  printf 'the folder %s is not here or cannot be read\n' /srv/files
  return 1
}

# --- start-files: start service files on beta
look_1() {
  [[ $(service_state files) == running ]]
}
do_1() {
  dtengine services start files "${ENGINE[@]}" >/dev/null && printf 'service %s runs\n' files
}
undo_1() {
  dtengine services stop files "${ENGINE[@]}" >/dev/null && printf 'service %s is stopped\n' files
}

# --- names-to-target: lead the names to beta
look_2() {
  false # dfo looks itself, at every server
}
do_2() {
  dfo failover --source-name alpha.lab.example --server 10.0.0.5 --server 10.0.0.6:5353 --key-file /etc/dtam/dns.key --tolerate-silent --log "$NAMES_DIR"/dfo.log --source-ip 10.0.0.10 --target-ip 10.0.0.20 --source-ip 2001:db8::10 --target-ip 2001:db8::20 --zone example.org --target-name beta.lab.example --ttl 60  --undo-file "$NAMES_DIR"/alpha.lab.example.undo.json | tail -n 1
}
undo_2() {
  [[ ! -e "$NAMES_DIR"/alpha.lab.example.undo.json ]] ||
    dfo failback --source-name alpha.lab.example --server 10.0.0.5 --server 10.0.0.6:5353 --key-file /etc/dtam/dns.key --tolerate-silent --log "$NAMES_DIR"/dfo.log --undo-file "$NAMES_DIR"/alpha.lab.example.undo.json | tail -n 1
}
dry_2() {
  dfo failover --plan --source-name alpha.lab.example --server 10.0.0.5 --server 10.0.0.6:5353 --key-file /etc/dtam/dns.key --tolerate-silent --log "$NAMES_DIR"/dfo.log --source-ip 10.0.0.10 --target-ip 10.0.0.20 --source-ip 2001:db8::10 --target-ip 2001:db8::20 --zone example.org --target-name beta.lab.example --ttl 60  --undo-file "$NAMES_DIR"/alpha.lab.example.undo.json
}

# --- clients-served: see that clients are served
look_3() {
  false # it is asked every time
}
do_3() {
  dfo ask --source-name alpha.lab.example --server 10.0.0.5 --url http://alpha.lab.example:8080/health --expect well --budget 20
}
dry_3() {
  printf '  it would be asked for up to %s s\n' 20
}

# Commands of yours, after the last step; they run once a run. $DTAM_RUN_ID, $DTAM_EPOCH and $DTAM_PROTECTION are set.
own_commands() {
  :
# >>> your own commands
# <<< your own commands
}

main "$@"
