#!/bin/bash
# post_restore of protection files on alpha
#
# Rendered by dtam. Put what is yours between the marks ">>> your own commands" and "<<< your own commands": it is kept when the
# script is rendered again. A change anywhere else is noticed then: you are told, and the changed script is kept beside.
# To change it for good, change the template (scripts/templates).
#
# Run by the engine of this host, with JSON on standard input; by hand:
#   post_restore --dry-run                 what would be done
#   post_restore --run RUN_ID [STEP...]     do it (again: what is done stays done)
#   post_restore --run RUN_ID --undo        undo what that run did, last first
# While this host's engine says that another server has the service, post_failover takes nothing, unless --force is added.
# dtam: sealed sha256 2a89eccb90eece0368f1ccaf0236d4a7762807c9993110f0218cd2042a53dd47
# shellcheck disable=SC2016,SC2317  # what stands in single quotes is data; functions are called by their numbers

set -u -o pipefail
export LC_ALL=C.UTF-8
SCRIPT=post_restore
PROTECTION='files on alpha'
STEPS=()
SENTENCES=()
UNDOS=()

# --- how a run goes: look, "about-to" with its undo on disk, do, "done" or "failed" on disk. A step killed inside is looked at
# again by the next run of the same id; what was found done beforehand is "already" and is not undone.
DRY_RUN=0 UNDO=0 RUN_ID='' DTAM_EPOCH=0 WANTED=() IS_READY=0 FORCED=0 FENCED=unknown OWN='your-own-commands'
export NAMES_DIR=${DTENGINE_STATE:-/var/lib/dtam}/names
ENGINE=(${DTENGINE_STATE:+--state "$DTENGINE_STATE"})

# One process of ours stands beside the script, so that a step does not have to start its program anew; the deed still is a process of
# its own, on the step's own input and output. Without it each step starts its program.
stand_ready() {
  local own one
  own=$(type -P dtam) || return 0
  for one in dfo dtengine; do [[ $(type -P "$one") == "${own%/*}/$one" ]] || return 0; done
  coproc READY { exec dtam ready 9>&-; }
  exec 7>&"${READY[1]}" 8<&"${READY[0]}"
  eval "exec ${READY[1]}>&- ${READY[0]}<&-"
  IS_READY=1
}

# by_ready PROGRAM WORD...: have it run by that process; by itself where there is none, or none any more. The answer is read with -u, so
# that standard input stays what the deed is to read.
by_ready() {
  local me=$BASHPID code='' path
  if ((IS_READY)) && path=$(type -P "$1"); then
    if (trap '' PIPE && printf '%s\0' $(($# + 1)) "$me" "$path" "${@:2}" >&7) 2>/dev/null; then IFS= read -r -u 8 code; fi
  fi
  if [[ $code =~ ^[0-9]+$ ]]; then return "$code"; else command "$@"; fi
}
dtam() { by_ready dtam "$@"; }
dfo() { by_ready dfo "$@"; }
dtengine() { by_ready dtengine "$@"; }

# The state that this host's engine gives for a service: running, stopped or failed.
service_state() {
  local words
  while IFS=$'\t' read -r -a words; do
    [[ ${words[0]} == "$1" ]] && printf '%s' "${words[2]}"
  done < <(dtengine services list "${ENGINE[@]}")
}

usage() {
  printf 'usage: %s [--dry-run] [--undo] [--force] --run RUN_ID [STEP...], or JSON on standard input\n' "$SCRIPT" >&2
  exit 2
}

stop() {
  printf '%s: %s\n' "$SCRIPT" "$1" >&2
  exit "${2:-1}"
}

# JSON is read by python3: the engine puts its own on PATH, and Debian has no jq. One word a line, so no value can become code.
read_request() {
  local program='
import json, sys
given = json.load(sys.stdin)
words = [given.get("run_id", ""), given.get("protection", ""), given.get("epoch", 0), int(bool(given.get("dry_run")))]
words += [int(bool(given.get("undo"))), "fence:%s" % given.get("fenced", "unknown")] + list(given.get("segments") or [])
words = [str(word) for word in words]
sys.exit("a word holds a line break") if any("\n" in word for word in words) else print("\n".join(words))
'
  local words
  words=$(python3 -I -c "$program") || stop 'standard input is not a JSON request' 2
  mapfile -t words <<<"$words"
  [[ ${words[1]} == "$PROTECTION" || -z ${words[1]} ]] || stop "asked for protection ${words[1]}, this is $PROTECTION" 2
  RUN_ID=${words[0]} DTAM_EPOCH=${words[2]} DRY_RUN=${words[3]} UNDO=${words[4]} FENCED=${words[5]#fence:} WANTED=("${words[@]:6}")
}

read_words() {
  while (($#)); do
    case $1 in
      --dry-run) DRY_RUN=1 ;;
      --undo) UNDO=1 ;;
      --force) FORCED=1 ;;
      --run) shift && RUN_ID=${1-} ;;
      -*) usage ;;
      *) WANTED+=("$1") ;;
    esac
    shift
  done
}

# A string as JSON; control characters become spaces.
json() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  printf '"%s"' "${text//[[:cntrl:]]/ }"
}

# note NUMBER EVENT SAYS [UNDO]: one line about a step.
note() {
  write_down "${STEPS[$1]-$OWN}" "${@:2}"
}

# write_down STEP EVENT SAYS [UNDO]: one line, on disk when this returns.
write_down() {
  local undo=''
  [[ -n ${4-} ]] && undo=$(printf ', "undo": %s' "$(json "$4")")
  if ! printf '{"t": %s, "step": %s, "event": "%s"%s, "says": %s}\n' \
    "$EPOCHREALTIME" "$(json "$1")" "$2" "$undo" "$(json "$3")" >>"$RUN_FILE" || ! sync "$RUN_FILE"; then
    stop "cannot write $RUN_FILE: nothing more is done" 73
  fi
  printf '%s %s: %s\n' "$2" "$1" "$3"
}

# What this run has done about a step so far: the last event, or nothing; "begun" says whether there is something to undo.
last_event() {
  local id line event=''
  id=$(json "${STEPS[$1]-$OWN}")
  BEGUN=0
  [[ -e $RUN_FILE ]] || { LAST=''; return; }
  while IFS= read -r line; do
    [[ $line == *"\"step\": $id, \"event\": \""* && $line == *'}' ]] || continue
    event=${line#*"\"step\": $id, \"event\": \""}
    event=${event%%\"*}
    case $event in about-to) BEGUN=1 ;; undone) BEGUN=0 ;; esac
  done <"$RUN_FILE"
  LAST=$event
}

run_step() {
  local number=$1 said
  last_event "$number"
  if "look_$number" >/dev/null 2>&1 9>&-; then
    if ((BEGUN)); then
      [[ $LAST == 'done' ]] || note "$number" 'done' 'found done'
    else
      note "$number" already 'it was so before'
    fi
    return
  fi
  note "$number" about-to "${SENTENCES[$number]}" "${UNDOS[$number]}"
  if said=$("do_$number" 2>&1 9>&-); then
    note "$number" 'done' "${said:-${SENTENCES[$number]}}"
  else
    note "$number" failed "${said:-it failed without a word}"
    exit 1
  fi
}

undo_step() {
  local number=$1 said
  last_event "$number"
  ((BEGUN)) || return 0
  if ! declare -F "undo_$number" >/dev/null; then
    note "$number" undone "nothing to undo: ${UNDOS[$number]}"
  elif said=$("undo_$number" 2>&1 9>&-); then
    note "$number" undone "${said:-${UNDOS[$number]}}"
  else
    note "$number" failed "undo: ${said:-it failed without a word}"
    exit 1
  fi
}

show_step() {
  local number=$1
  if ((UNDO)); then
    printf 'would undo %s: %s\n' "${STEPS[$number]}" "${UNDOS[$number]}"
  elif "look_$number" >/dev/null 2>&1 9>&-; then
    printf 'already so %s: %s\n' "${STEPS[$number]}" "${SENTENCES[$number]}"
  else
    printf 'would do %s: %s (undo: %s)\n' "${STEPS[$number]}" "${SENTENCES[$number]}" "${UNDOS[$number]}"
    ! declare -F "dry_$number" >/dev/null || "dry_$number" 9>&-
  fi
}

# What a failover takes is taken only while this host may serve: an old run of it, by hand, must not take from a source that serves
# again. The engine says so when it runs the script; else it is asked. A person who insists is written down.
ask_the_fence() {
  local number takes=0
  for number in "${CHOSEN[@]}"; do declare -F "beforehand_$number" >/dev/null || takes=1; done
  [[ $SCRIPT == post_failover && $takes == 1 ]] || return 0
  if [[ $FENCED == unknown ]]; then
    if FENCED=$(dtengine fence --check "$PROTECTION" "${ENGINE[@]}" 2>&1 9>&-); then FENCED=''; else FENCED=${FENCED:-the engine does not say}; fi
  fi
  [[ -n $FENCED ]] || return 0
  if ((FORCED)); then
    write_down fence forced "by hand although: $FENCED"
  else
    stop "nothing was taken: $FENCED (a person who knows that no other server serves adds --force)" 77
  fi
}

# The numbers of the steps asked for, in the script's order; all when none is named.
choose_steps() {
  local number wanted found
  CHOSEN=()
  for wanted in "${WANTED[@]}"; do
    found=0
    for number in "${!STEPS[@]}"; do [[ ${STEPS[$number]} == "$wanted" ]] && found=1; done
    ((found)) || stop "there is no step $wanted here" 2
  done
  for number in "${!STEPS[@]}"; do
    found=$((${#WANTED[@]} == 0))
    for wanted in "${WANTED[@]}"; do [[ ${STEPS[$number]} == "$wanted" ]] && found=1; done
    ((found)) && CHOSEN+=("$number")
  done
  return 0
}

run_own_commands() {
  local last=$((${#STEPS[@]} - 1)) said
  ((${#STEPS[@]} == 0)) || [[ " ${CHOSEN[*]} " == *" $last "* ]] || return 0
  last_event "${#STEPS[@]}"
  [[ $LAST != 'done' ]] || return 0
  [[ $(declare -f own_commands | tail -n +2) != "$(declare -f no_commands | tail -n +2)" ]] || return 0
  note "${#STEPS[@]}" about-to 'run your own commands' 'your commands say how'
  if said=$(own_commands 2>&1 9>&-); then
    note "${#STEPS[@]}" 'done' "${said:-your own commands ran}"
  else
    note "${#STEPS[@]}" failed "${said:-your own commands failed without a word}"
    exit 1
  fi
}

no_commands() {
  :
}

open_run() {
  [[ $RUN_ID =~ ^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$ ]] || usage
  RUNDIR=${RUNDIR:-/var/lib/dtam/runs}
  umask 077
  mkdir -p "$RUNDIR" || stop "cannot make $RUNDIR" 73
  RUN_FILE=$RUNDIR/$RUN_ID.$SCRIPT.run
  exec 9>>"$RUNDIR/$SCRIPT.$(printf '%s' "$PROTECTION" | tr -c 'A-Za-z0-9_-' _).lock"
  flock -n 9 || stop 'another run of this script is at work' 75
  # A line that a crash cut off is ended, so that the next one stands by itself.
  if [[ -s $RUN_FILE && -n $(tail -c 1 "$RUN_FILE") ]]; then printf '\n' >>"$RUN_FILE"; fi
  { : >>"$RUN_FILE" && sync "$RUNDIR"; } || stop "cannot write $RUN_FILE" 73
}

main() {
  local number
  if (($#)); then read_words "$@"; else read_request; fi
  export DTAM_RUN_ID=$RUN_ID DTAM_EPOCH DTAM_PROTECTION=$PROTECTION
  choose_steps
  if ((DRY_RUN)); then
    for number in "${CHOSEN[@]}"; do show_step "$number"; done
    return
  fi
  open_run
  ((${#CHOSEN[@]} < 2)) || stand_ready
  if ((UNDO)); then
    for ((number = ${#CHOSEN[@]} - 1; number >= 0; number--)); do undo_step "${CHOSEN[$number]}"; done
    return
  fi
  ask_the_fence
  for number in "${CHOSEN[@]}"; do run_step "$number"; done
  run_own_commands
}

# Commands of yours, after the last step; they run once a run. $DTAM_RUN_ID, $DTAM_EPOCH and $DTAM_PROTECTION are set.
own_commands() {
  :
# >>> your own commands
# <<< your own commands
}

main "$@"
