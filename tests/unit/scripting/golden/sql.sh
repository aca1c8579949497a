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
# dtam: sealed sha256 6298ad3780ab52bce6cd3b45131e45af83114c535cb00074b12570754bcdab8c
# shellcheck disable=SC2016,SC2317  # what stands in single quotes is data; functions are called by their numbers

set -u -o pipefail
export LC_ALL=C.UTF-8
SCRIPT=post_failover
PROTECTION='files on alpha'
STEPS=(sql-keep-logins sql-ready sql-logins sql-attach sql-owners-and-options sql-default-databases sql-orphans sql-server-name sql-detach restart clients-served)
SENTENCES=('keep-logins on beta' 'ready on beta' 'logins on beta' 'attach on beta' 'owners-and-options on beta' 'default-databases on beta' 'orphans on beta' 'server-name on beta' 'detach on beta' 'restart mssql-server' 'see that clients are served')
UNDOS=('none, what is kept is used by nobody but a failover' 'none, waiting changes nothing' 'drop those that were made' 'detach those that were not attached before' 'give them what they had before' 'let them begin where they did before' 'none, a user of its database stays joined' 'give it the name back that it had' 'attach them again, from the same files' 'none, it runs as before' 'none, asking changes nothing')

# ... runtime.sh ...

# --- sql-keep-logins: keep-logins on beta
look_0() {
  [[ -z ${WANTED[*]-} ]] # a failover reads nothing from its source
}
do_0() {
  dtam step sql keep-logins --wait-s 60.0 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.keep-logins.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}
dry_0() {
  dtam step sql keep-logins --dry-run --wait-s 60.0 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.keep-logins.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}
beforehand_0() {
  : # it takes nothing from the source
}

# --- sql-ready: ready on beta
look_1() {
  false # dtam step looks itself
}
do_1() {
  dtam step sql ready --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.ready.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}
dry_1() {
  dtam step sql ready --dry-run --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.ready.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}

# --- sql-logins: logins on beta
look_2() {
  false # dtam step looks itself
}
do_2() {
  dtam step sql logins --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.logins.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}
undo_2() {
  dtam step sql logins --back --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.logins.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}
dry_2() {
  dtam step sql logins --dry-run --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.logins.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}

# --- sql-attach: attach on beta
look_3() {
  false # dtam step looks itself
}
do_3() {
  dtam step sql attach --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/a_b.attach.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "A$B", "protection": "sql"}'
}
undo_3() {
  dtam step sql attach --back --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/a_b.attach.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "A$B", "protection": "sql"}'
}
dry_3() {
  dtam step sql attach --dry-run --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/a_b.attach.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "A$B", "protection": "sql"}'
}

# --- sql-owners-and-options: owners-and-options on beta
look_4() {
  false # dtam step looks itself
}
do_4() {
  dtam step sql owners-and-options --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.owners-and-options.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}
undo_4() {
  dtam step sql owners-and-options --back --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.owners-and-options.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}
dry_4() {
  dtam step sql owners-and-options --dry-run --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.owners-and-options.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}

# --- sql-default-databases: default-databases on beta
look_5() {
  false # dtam step looks itself
}
do_5() {
  dtam step sql default-databases --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.default-databases.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}
undo_5() {
  dtam step sql default-databases --back --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.default-databases.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}
dry_5() {
  dtam step sql default-databases --dry-run --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.default-databases.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}

# --- sql-orphans: orphans on beta
look_6() {
  false # dtam step looks itself
}
do_6() {
  dtam step sql orphans --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.orphans.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}
dry_6() {
  dtam step sql orphans --dry-run --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.orphans.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}

# --- sql-server-name: server-name on beta
look_7() {
  false # dtam step looks itself
}
do_7() {
  dtam step sql server-name --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.server-name.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}
undo_7() {
  dtam step sql server-name --back --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.server-name.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}
dry_7() {
  dtam step sql server-name --dry-run --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.server-name.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}

# --- sql-detach: detach on beta
look_8() {
  false # dtam step looks itself
}
do_8() {
  dtam step sql detach --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.detach.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}
undo_8() {
  dtam step sql detach --back --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.detach.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}
dry_8() {
  dtam step sql detach --dry-run --wait-s 300 --undo "${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"/mssqlserver.detach.json <<<'{"access": {"host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "databases": ["it\u0027s $(x) `y`"], "instance": "MSSQLSERVER", "protection": "sql"}'
}

# --- restart: restart mssql-server
look_9() {
  false # it is done once a run
}
do_9() {
  dtengine services stop mssql-server "${ENGINE[@]}" >/dev/null &&
    dtengine services start mssql-server "${ENGINE[@]}" >/dev/null && printf 'service %s runs anew\n' mssql-server
}

# --- clients-served: see that clients are served
look_10() {
  false # it is asked every time
}
do_10() {
  local place="${NAMES_DIR%/*}/sql/${PROTECTION//[^A-Za-z0-9_-]/_}"
  (umask 077 && mkdir -p "$place") || return 1

  printf '%s' '{"access": {"full_name": "alpha.lab.example", "host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "database": "it\u0027s", "instance": "MSSQLSERVER"}' >"$place/clients-1.json" || return 1
  dfo ask --source-name alpha.lab.example --server 10.0.0.5 --timeout 15.0 --budget 120.0 -- dtam step sql probe --host '{address}' --document "$place/clients-1.json" --undo "$place/clients-1.undo.json" || return 1

  printf '%s' '{"access": {"full_name": "alpha.lab.example", "host": "10.0.0.2", "keytab": "/etc/krb5.keytab", "port": 1433, "principal": "BETA$", "server": "beta"}, "database": "it\u0027s", "instance": "SALES"}' >"$place/clients-2.json" || return 1
  dfo ask --source-name alpha.lab.example --server 10.0.0.5 --timeout 15.0 --budget 120.0 -- dtam step sql probe --host '{address}' --document "$place/clients-2.json" --undo "$place/clients-2.undo.json" || return 1
}
dry_10() {
  printf '  it would be asked for up to %s s\n' 120.0
}

# Commands of yours, after the last step; they run once a run. $DTAM_RUN_ID, $DTAM_EPOCH and $DTAM_PROTECTION are set.
own_commands() {
  :
# >>> your own commands
# <<< your own commands
}

main "$@"
