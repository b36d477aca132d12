#!/bin/bash -p
# The launcher of a run on Slurm: on the compute node it does what the supervisor does for a local run.
#   launcher.sh LOG_DIR RUN_ID
#   launcher.sh LOG_DIR @FILE    in a job array: line SLURM_ARRAY_TASK_ID + 1 of FILE is the run ID
# It needs bash 4.3, coreutils and the log directory on a shared file system. Its own messages go to its standard
# error, which is jobs/RUN_ID.slurm.log. Exit code: 0 if the run succeeded, so that `afterok` dependencies hold; 75 if
# another instance has claimed the run; 125 if the run cannot be recorded; else that of the command, or 1.
# Every variable has the prefix bgrun_, so that none of the user's is changed, and is unset for the command.

# Until its trap is set SIGTERM ends this script, and nothing was run.
trap '' HUP INT USR1 USR2
bgrun_back=()
for bgrun_name in FUNCNEST POSIXLY_CORRECT; do  # these would change how this script works; the command gets them back
  [ -z "${!bgrun_name+set}" ] || bgrun_back+=("$bgrun_name=${!bgrun_name}")
  unset "$bgrun_name"
done
unset TMOUT EXECIGNORE BASH_XTRACEFD
bgrun_umask=$(umask)
umask 077
exec {bgrun_bell}<> <(:) {bgrun_gate}<> <(:)  # two pipes

# SIGTERM is from Slurm, SIGUSR2 says that the time limit is near. A signal notes what it means, and rings a bell that ends
# the sleep of this script; once until that is heard, since a pipe that is full would block.
# While traps are set there is no command or process substitution: up to bash 5.2, a trap that becomes due as one is
# expanded is lost with a syntax error.
bgrun_termed='' bgrun_limit='' bgrun_woken=''
bgrun_ring() { [ -n "$bgrun_woken" ] || { bgrun_woken=1; echo >&"$bgrun_bell"; }; }
trap 'bgrun_termed=1; bgrun_ring' TERM
trap 'bgrun_limit=1; bgrun_ring' USR2
trap bgrun_ring USR1
shopt -s lastpipe

bgrun_logs=$1
bgrun_run=$2

bgrun_say() { printf 'bgrun: %s\n' "$*" >&2; }

if [[ $bgrun_run == @* ]]; then
  bgrun_members=()
  mapfile -t bgrun_members <"${bgrun_run#@}"
  bgrun_run=${bgrun_members[SLURM_ARRAY_TASK_ID]-}
  unset bgrun_members
fi
[ -n "$bgrun_run" ] || { bgrun_say "no run ID for task ${SLURM_ARRAY_TASK_ID-}"; exit 125; }
bgrun_job=${SLURM_JOB_ID-}
[ -z "${SLURM_ARRAY_TASK_ID-}" ] || bgrun_job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
bgrun_node=${SLURMD_NODENAME-}
bgrun_meta=$bgrun_logs/$bgrun_run.meta
bgrun_exit=$bgrun_logs/$bgrun_run.exit
bgrun_log=$bgrun_logs/$bgrun_run.log
bgrun_hidden=$bgrun_logs/.$bgrun_run

# --- small things -----------------------------------------------------------------------------

# Hundredths of a second since the boot, which nobody can set.
bgrun_clock() { read -r bgrun_now _ </proc/uptime; bgrun_now=$((10#${bgrun_now/./})); }

# Hundredths of a second in a decimal number of seconds; of anything else the default $2.
bgrun_hundredths() {
  if [[ $1 =~ ^([0-9]{1,12})(\.([0-9]+))?$ ]]; then
    bgrun_fraction=${BASH_REMATCH[3]}00
    bgrun_value=$((10#${BASH_REMATCH[1]} * 100 + 10#${bgrun_fraction:0:2}))
  else
    bgrun_value=$2
  fi
}

# Set bgrun_time to the time in ISO 8601; bash 4 knows no milliseconds.
bgrun_iso() {
  bgrun_value=${EPOCHREALTIME--1.000000}
  printf -v bgrun_time '%(%Y-%m-%dT%H:%M:%S)T.%s' "${bgrun_value:0:-7}" "${bgrun_value: -6:3}"
  printf -v bgrun_value '%(%z)T' "${bgrun_value:0:-7}"
  bgrun_time+=${bgrun_value:0:3}:${bgrun_value:3}
}

# Read a file of `key=value` lines: each into bgrun_lines, and what follows `KEY=` into bgrun_of[KEY].
declare -A bgrun_of
bgrun_read() {
  bgrun_lines=() bgrun_of=()
  [ -f "$1" ] && [ ! -L "$1" ] || return 1
  mapfile -t bgrun_lines <"$1" || return 1
  for bgrun_line in "${bgrun_lines[@]}"; do
    bgrun_key=${bgrun_line%%=*}
    [[ -z $bgrun_key || $bgrun_key == *[!a-z_]* ]] || bgrun_of[$bgrun_key]=${bgrun_line#*=}
  done
} 2>/dev/null

bgrun_word() { bgrun_value=${bgrun_of[$1]-$2}; }

# Rename a file; once more if a SIGTERM of Slurm, which goes to all processes, ended that.
bgrun_rename() {
  command -p mv -f -- "$1" "$2" && return
  [ ! -e "$1" ] || command -p mv -f -- "$1" "$2"
}

# Delete those of these files that exist: of most runs none does, and to call rm takes longer than to look.
bgrun_remove() {
  bgrun_present=()
  for bgrun_at in "$@"; do
    [ ! -e "$bgrun_at" ] && [ ! -L "$bgrun_at" ] || bgrun_present+=("$bgrun_at")
  done
  [ ${#bgrun_present[@]} -eq 0 ] || command -p rm -f -- "${bgrun_present[@]}"
}

# Replace the meta by its first lines and these; return 1 if it cannot be written.
bgrun_write_meta() {
  printf '%s\n' "${bgrun_known[@]}" "$@" >"$bgrun_hidden.meta.new" && bgrun_rename "$bgrun_hidden.meta.new" "$bgrun_meta" && return
  command -p rm -f -- "$bgrun_hidden.meta.new"
  return 1
}

bgrun_is_success() { [[ " $bgrun_codes " == *" $1 "* ]]; }

# End this job with the exit code of the command, which says to Slurm's dependencies whether the run succeeded.
bgrun_finish() {
  ! bgrun_is_success "$1" || exit 0
  [ "$1" -ne 0 ] || exit 1
  exit "$1"
}

# What the job declares besides its command (besides.sh): test reports and outputs to keep, hooks. Without them, nothing.
bgrun_note_files() { :; }
bgrun_take_files() { :; }
bgrun_call_hooks() { :; }

# --- may it run? ------------------------------------------------------------------------------

# A shared file system may show the record late; without one nothing runs.
for ((bgrun_try = 0; bgrun_try < 60; bgrun_try++)); do
  ! bgrun_read "$bgrun_meta" || [ -z "${bgrun_of[run_id]-}" ] || break
  command -p ls -f -- "$bgrun_logs" >/dev/null 2>&1
  command -p sleep 0.5
done
[ -n "${bgrun_of[run_id]-}" ] || { bgrun_say "no record of $bgrun_run in $bgrun_logs: nothing was run"; exit 125; }

bgrun_known=()
for bgrun_line in "${bgrun_lines[@]}"; do
  case ${bgrun_line%%=*} in
    waiting | engine_job | node | attempt | started_at | terminated | state | exit_code | signal | reason | ended_at | duration_s) ;;
    *) bgrun_known+=("$bgrun_line") ;;
  esac
done
bgrun_word success_exit_codes 0; bgrun_codes=$bgrun_value
bgrun_word requeue false; bgrun_requeue=$bgrun_value
bgrun_word needs ''; bgrun_needs=$bgrun_value
bgrun_word conditions ''; bgrun_conditions=$bgrun_value
bgrun_word group_run ''; bgrun_group=$bgrun_value
bgrun_word stop_signal SIGTERM; bgrun_signal=$bgrun_value
bgrun_word max_log_bytes 0; bgrun_most=$bgrun_value
bgrun_word timeout_s ''; bgrun_hundredths "$bgrun_value" 0; bgrun_timeout=$bgrun_value
bgrun_word stop_grace_s 10; bgrun_hundredths "$bgrun_value" 1000; bgrun_grace=$bgrun_value
bgrun_closed=${bgrun_of[state]-}
bgrun_group_stop=${bgrun_group:+$bgrun_logs/.$bgrun_group.stop}

if [ -f "$bgrun_exit" ]; then
  read -r bgrun_code <"$bgrun_exit"
  [[ $bgrun_code =~ ^[0-9]{1,3}$ ]] || bgrun_code=1
  bgrun_say "job $bgrun_job: $bgrun_run has finished with exit code $bgrun_code: nothing was run"
  bgrun_finish "$bgrun_code"
fi
[ -z "$bgrun_closed" ] || { bgrun_say "job $bgrun_job: $bgrun_run is $bgrun_closed: nothing was run"; exit 1; }

# The claim: whoever makes this directory runs the command.
bgrun_attempt=1
until command -p mkdir -- "$bgrun_hidden.claim.$bgrun_attempt" 2>/dev/null; do
  [ -d "$bgrun_hidden.claim.$bgrun_attempt" ] || { bgrun_say "cannot write in $bgrun_logs: nothing was run"; exit 125; }
  if [ "$bgrun_requeue" != true ]; then
    bgrun_say "job $bgrun_job on $bgrun_node: another instance has claimed $bgrun_run: nothing was run"
    exit 75
  fi
  bgrun_attempt=$((bgrun_attempt + 1))
done

bgrun_is_newest() { [ ! -e "$bgrun_hidden.claim.$((bgrun_attempt + 1))" ]; }

# Record the result of a run that never started: its state, the reason, more lines.
bgrun_never_ran() {
  bgrun_iso
  bgrun_write_meta started_at= "engine_job=$bgrun_job" "node=$bgrun_node" "ended_at=$bgrun_time" "state=$1" "reason=$2" "${@:3}"
  command -p rm -f -- "$bgrun_hidden.stop" "$bgrun_hidden.env" "$bgrun_hidden.besides"
  bgrun_say "$1: $2"
  # A waived run spoils nothing: the launchers of those that depend on it start, and find that out.
  [ "${3-}" != waived=true ] || exit 0
  exit 1
}

# Set bgrun_asked to the stop request in a file, '' without one, and bgrun_urgent to whether it skips the grace period.
bgrun_read_stop() {
  bgrun_asked='' bgrun_urgent=''
  bgrun_read "$1" || return 1
  bgrun_word reason stop
  bgrun_asked=${bgrun_value:-stop} bgrun_urgent=${bgrun_of[now]-}
}

if bgrun_read_stop "$bgrun_hidden.stop"; then
  [ "$bgrun_asked" != stop ] || bgrun_asked="stopped before it started"
  bgrun_never_ran stopped "$bgrun_asked"
fi
if [ -n "$bgrun_group_stop" ] && bgrun_read_stop "$bgrun_group_stop"; then
  [[ $bgrun_asked != fail_fast:* ]] || bgrun_never_ran skipped "$bgrun_asked"
  bgrun_never_ran stopped "stopped before it started"
fi

# Dependencies, by what is recorded of them: Slurm's `afterok` of a job that it has forgotten always holds.
bgrun_why='' bgrun_waived=''
read -r -a bgrun_conditions <<<"$bgrun_conditions"
bgrun_place=-1
for bgrun_need in $bgrun_needs; do
  bgrun_place=$((bgrun_place + 1)) bgrun_condition=${bgrun_conditions[bgrun_place]-}
  for ((bgrun_try = 0; bgrun_try < 30; bgrun_try++)); do
    bgrun_read "$bgrun_logs/$bgrun_need.meta"
    bgrun_word state ''; bgrun_state=$bgrun_value
    bgrun_word success_exit_codes 0
    if [ -z "$bgrun_state" ] && [ -f "$bgrun_logs/$bgrun_need.exit" ]; then
      read -r bgrun_code <"$bgrun_logs/$bgrun_need.exit"
      bgrun_state=failed
      [[ " $bgrun_value " != *" ${bgrun_code:-none} "* ]] || bgrun_state=succeeded
      [ ! -e "$bgrun_logs/.$bgrun_need.stop" ] || bgrun_state=stopped
    fi
    if [ "$bgrun_condition" = started ] && [ "$bgrun_state" != skipped ] && [ -n "${bgrun_of[started_at]-}$bgrun_state" ]; then
      bgrun_state=succeeded
    fi
    [ -z "$bgrun_state" ] || break
    command -p ls -f -- "$bgrun_logs" >/dev/null 2>&1
    command -p sleep 1
  done
  [ "$bgrun_state" != succeeded ] && [ "$bgrun_condition" != completed ] || continue
  if [ "${bgrun_of[waived]-}" = true ]; then
    bgrun_waived="dependency $bgrun_need was skipped"
    continue
  fi
  case $bgrun_state in
    failed) bgrun_state=failed ;;
    timed_out) bgrun_state="timed out" ;;
    stopped | skipped) bgrun_state="was $bgrun_state" ;;
    *) bgrun_state="is lost" ;;
  esac
  bgrun_why="dependency $bgrun_need $bgrun_state"
  break
done
[ -z "$bgrun_why" ] || bgrun_never_ran skipped "$bgrun_why"
[ -z "$bgrun_waived" ] || bgrun_never_ran skipped "$bgrun_waived" waived=true

bgrun_fails_fast=
if [ -n "$bgrun_group" ] && bgrun_read "$bgrun_logs/$bgrun_group.meta"; then bgrun_word fail_fast ''; bgrun_fails_fast=$bgrun_value; fi

# shellcheck source=bgrun/slurm/besides.sh
if [ -f "$bgrun_hidden.besides" ] && . "$bgrun_hidden.besides"; then bgrun_note_files; fi

# --- start ------------------------------------------------------------------------------------

if [ -n "$bgrun_termed" ]; then bgrun_say "job $bgrun_job: Slurm sent SIGTERM: nothing was run"; exit 143; fi
[ ! -L "$bgrun_log" ] || { bgrun_say "$bgrun_log is a symbolic link: nothing was run"; exit 125; }
bgrun_iso
bgrun_known+=("started_at=$bgrun_time" "engine_job=$bgrun_job" "node=$bgrun_node" "attempt=$bgrun_attempt")
# Room for the exit code, for a disk that is full when the command ends; the job script may also write it here.
bgrun_remove "$bgrun_hidden.exit" "$bgrun_hidden.attempt"
{ printf '\n\n\n\n' >"$bgrun_hidden.exit" && : >>"$bgrun_log" && bgrun_write_meta; } 2>/dev/null ||
  { bgrun_say "cannot write the record of $bgrun_run in $bgrun_logs: nothing was run"; exit 125; }
if [ "$bgrun_attempt" -gt 1 ]; then
  printf -- '--- bgrun: attempt %d on node %s; the one before left no exit code ---\n' "$bgrun_attempt" "$bgrun_node" >>"$bgrun_log"
fi

# Publish the exit code $1. It is written over bytes that are there, for a disk that is full.
bgrun_publish() {
  printf '%d\n' "$1" 1<>"$bgrun_hidden.exit" 2>/dev/null &&
    command -p truncate -s $((${#1} + 1)) -- "$bgrun_hidden.exit" &&
    command -p mv -f -- "$bgrun_hidden.exit" "$bgrun_exit"
}

# The command has a keeper, which waits for it and reports its exit code through the bell. This script cannot wait itself:
# a trapped signal that arrives while bash reaps a child makes it forget the exit code, and wait for ever. The keeper traps
# nothing and ignores what Slurm sends. Through the bell come a blank line to wake, `pid N` of the command, which waits for
# a line through the gate, and `end CODE`. Only this script can write to the gate: its end is seen there.
bgrun_asked='' bgrun_pid='' bgrun_code='' bgrun_heard=''
set -m
(
  trap '' HUP INT QUIT TERM USR1 USR2
  exec <"/proc/self/fd/$bgrun_gate" {bgrun_gate}>&-
  bgrun_keeper=$BASHPID
  # In a process group of its own (set -m), in the user's environment, marked as a process of this run.
  set -m
  (
    set +m
    trap - HUP INT QUIT TERM USR1 USR2
    echo "pid $BASHPID" >&"$bgrun_bell"
    exec {bgrun_bell}>&-
    read -r bgrun_line || { kill -s KILL "$bgrun_keeper"; exit 125; }  # the launcher was killed: nothing runs
    umask "$bgrun_umask"
    if [ -f "$bgrun_hidden.env" ]; then
      while IFS= read -r -d '' bgrun_line; do export "${bgrun_line?}"; done <"$bgrun_hidden.env"
    fi
    set -- -u SHELLOPTS -u BASHOPTS -u BGRUN_GATE "${bgrun_back[@]}" \
      "BGRUN_RUN_ID=$bgrun_run" "BGRUN_LOG_DIR=$bgrun_logs" bash -p "$bgrun_logs/jobs/$bgrun_run.sh"
    unset "${!bgrun_@}"
    exec env "$@" </dev/null
  ) <&0 >>"$bgrun_log" 2>&1 &
  set +m
  wait "$!"
  bgrun_code=$?
  echo "end $bgrun_code" >&"$bgrun_bell"
  while read -r bgrun_line; do :; done  # until the launcher has ended
  # It was killed. The job script has not published the code, since its parent is the one that it began with.
  ! bgrun_is_newest || [ -e "$bgrun_exit" ] || bgrun_publish "$bgrun_code"
) </dev/null >/dev/null 2>&1 &
bgrun_keeper=$!
disown "$bgrun_keeper"  # bash reports nothing of its end
set +m

# --- while it runs ----------------------------------------------------------------------------

# Set bgrun_found to the processes of this run: in the process group of its job script, or marked as its own.
bgrun_find() {
  bgrun_found=()
  for bgrun_at in /proc/[0-9]*; do
    [ -O "$bgrun_at" ] && read -r bgrun_line <"$bgrun_at/stat" || continue
    read -r bgrun_state _ bgrun_group_id _ <<<"${bgrun_line##*) }"
    [ "$bgrun_state" != Z ] || continue
    bgrun_hits=0
    [ "$bgrun_group_id" != "$bgrun_pid" ] || bgrun_hits=2
    while [ "$bgrun_hits" -lt 2 ] && IFS= read -r -d '' bgrun_line; do
      case $bgrun_line in "BGRUN_RUN_ID=$bgrun_run" | "BGRUN_LOG_DIR=$bgrun_logs") bgrun_hits=$((bgrun_hits + 1)) ;; esac
    done <"$bgrun_at/environ"
    [ "$bgrun_hits" -lt 2 ] || bgrun_found+=("${bgrun_at#/proc/}")
  done
} 2>/dev/null

bgrun_stopping='' bgrun_reached=''
declare -A bgrun_sent=()

# Send a signal to processes, one by one, and note which it reached.
bgrun_send() {
  for bgrun_target in "${@:2}"; do
    ! kill -s "$1" "$bgrun_target" || { bgrun_reached=1 bgrun_sent[$bgrun_target]=1; }
  done
} 2>/dev/null

# Begin to stop the run: the reason $1 is on disk before any signal is sent.
bgrun_stop() {
  [ -z "$bgrun_stopping" ] || return
  bgrun_stopping=$1
  bgrun_iso
  printf '%s\n' "reason=$1" "requested_at=$bgrun_time" "signalled_at=$bgrun_time" ${bgrun_urgent:+now=true} >"$bgrun_hidden.stop.$$" &&
    bgrun_rename "$bgrun_hidden.stop.$$" "$bgrun_hidden.stop"
  bgrun_clock
  bgrun_kill_at=$((bgrun_now + bgrun_grace))
  read -r bgrun_line <"$bgrun_hidden.exit" && [ -n "$bgrun_line" ] && return  # the command has ended
  # The job script is spared: it ends with the exit code of its command.
  bgrun_find
  bgrun_others=()
  for bgrun_target in "${bgrun_found[@]}"; do
    [ "$bgrun_target" = "$bgrun_pid" ] || bgrun_others+=("$bgrun_target")
  done
  [ ${#bgrun_others[@]} -gt 0 ] || bgrun_others=("$bgrun_pid")
  bgrun_send "$bgrun_signal" "${bgrun_others[@]}"
  kill -s CONT "${bgrun_found[@]}" 2>/dev/null
}

# Note on disk, before the exit code, that it was perhaps Slurm that ended the command: whoever reads this asks it why.
bgrun_note_term() {
  [ -z "$bgrun_noted" ] || return
  bgrun_noted=1
  bgrun_known+=(terminated=true)
  bgrun_write_meta
} 2>/dev/null

# Slurm sends SIGTERM to what there is. A command that began in that moment may have missed it, and gets it once more.
bgrun_pass_on() {
  bgrun_clock
  [ -z "$bgrun_passed" ] && [ $((bgrun_now - bgrun_began)) -lt 300 ] || return
  bgrun_passed=1
  kill -s TERM -- "-$bgrun_pid"
} 2>/dev/null

bgrun_passed='' bgrun_noted=''
bgrun_check() {
  if [ -n "$bgrun_termed" ] && [ -z "$bgrun_stopping" ]; then bgrun_note_term; bgrun_pass_on; fi
  if [ -z "$bgrun_stopping" ]; then
    if bgrun_read_stop "$bgrun_hidden.stop"; then
      bgrun_stop "$bgrun_asked"
    elif [ -n "$bgrun_group_stop" ] && bgrun_read_stop "$bgrun_group_stop"; then
      bgrun_stop "$bgrun_asked"
    elif [ -n "$bgrun_limit" ] || { bgrun_clock; [ "$bgrun_timeout" -gt 0 ] && [ $((bgrun_now - bgrun_began)) -ge "$bgrun_timeout" ]; }; then
      bgrun_stop timeout
    elif [ "$bgrun_most" -gt 0 ] && [ $((bgrun_now - bgrun_began)) -ge 100 ] && command -p stat -c %s -- "$bgrun_log" | read -r bgrun_size && [ "$bgrun_size" -gt "$bgrun_most" ]; then
      bgrun_stop "its log grew beyond $bgrun_most bytes"
    else
      return
    fi
  elif bgrun_read_stop "$bgrun_hidden.stop"; then
    :
  fi
  bgrun_clock
  if [ -n "$bgrun_urgent" ] || [ "$bgrun_now" -ge "$bgrun_kill_at" ]; then
    bgrun_find
    bgrun_send KILL "${bgrun_found[@]}"
  fi
} 2>/dev/null

# Sleep for a second or until the bell rings; return 1 if nothing was heard. Half a line is kept for the next time.
bgrun_hear() {
  IFS= read -r -t 1 -u "$bgrun_bell" bgrun_line || { bgrun_heard+=$bgrun_line; return 1; }
  bgrun_woken=
  bgrun_heard+=$bgrun_line
  case $bgrun_heard in
    pid*)
      bgrun_pid=${bgrun_heard#pid }
      bgrun_clock
      bgrun_began=$bgrun_now
      echo >&"$bgrun_gate"
      ;;
    end*) bgrun_code=${bgrun_heard#end } ;;
  esac
  bgrun_heard=
}

# Do without the keeper, which somebody has killed: then the job script is an orphan, and publishes its exit code itself.
bgrun_keep() {
  if [ -z "$bgrun_pid" ]; then  # SIGTERM came before the keeper ignored it, or the like
    bgrun_known=("${bgrun_known[@]/#started_at=*/started_at=}")
    bgrun_write_meta
    bgrun_say "job $bgrun_job: Slurm ended it before the command began: nothing was run"
    exit 143
  fi
  bgrun_find
  [[ " ${bgrun_found[*]-} " != *" $bgrun_pid "* ]] || return
  ! read -r bgrun_line <"$bgrun_exit" || bgrun_code=$bgrun_line
  [[ $bgrun_code =~ ^[0-9]{1,3}$ ]] || { bgrun_say "job $bgrun_job: $bgrun_run left no exit code"; exit 1; }
}

while [ -z "$bgrun_code" ]; do
  bgrun_kept=
  ! kill -0 "$bgrun_keeper" 2>/dev/null || bgrun_kept=1
  bgrun_hear || [ -n "$bgrun_kept" ] || bgrun_keep
  [ -n "$bgrun_code" ] || [ -z "$bgrun_pid" ] || bgrun_check
done
bgrun_clock
bgrun_took=$((bgrun_now - bgrun_began))
bgrun_iso
# What Slurm sends to all processes from here on ends none of those that record the result.
trap '' TERM USR1 USR2
exec {bgrun_bell}>&-

# --- its end ----------------------------------------------------------------------------------

# Give the middle of a log that is too long back to the file system, as a supervisor does, where that and fallocate(1) can
# do that: a command that took less than a second was not stopped for it. A log grows by 256 MiB a second at most.
bgrun_bound_log() {
  [ "$bgrun_most" -gt 0 ] && [ $(((bgrun_took + 1) * 2684354)) -gt "$bgrun_most" ] || return
  command -p stat -c '%s %b %B' -- "$bgrun_log" | read -r bgrun_size bgrun_blocks bgrun_block || return
  [ $((bgrun_blocks * bgrun_block)) -gt "$bgrun_most" ] || return
  bgrun_begin=$(((bgrun_most / 4 + 4095) / 4096 * 4096))
  bgrun_length=$(((bgrun_size - bgrun_most / 2) / 4096 * 4096 - bgrun_begin))
  [ "$bgrun_length" -le 0 ] || command -p fallocate -p -o "$bgrun_begin" -l "$bgrun_length" -- "$bgrun_log"
} 2>/dev/null

bgrun_is_newest || { bgrun_say "attempt $bgrun_attempt: a newer one has claimed $bgrun_run: recorded nothing"; exit 75; }

if [ -n "$bgrun_termed" ] && [ -z "$bgrun_stopping" ] && [ "$bgrun_requeue" = true ]; then
  kill -s KILL "$bgrun_keeper" 2>/dev/null  # this end counts for nothing
  command -p rm -f -- "$bgrun_hidden.exit"
  bgrun_say "job $bgrun_job on $bgrun_node: Slurm sent SIGTERM; the command ended with $bgrun_code and may run again"
  exit 143
fi

# What is left of a run that was stopped has the rest of the grace period.
if [ -n "$bgrun_stopping" ]; then
  while bgrun_find; [ ${#bgrun_found[@]} -gt 0 ]; do
    bgrun_clock
    if [ -n "$bgrun_urgent" ] || [ "$bgrun_now" -ge "$bgrun_kill_at" ]; then bgrun_send KILL "${bgrun_found[@]}"; fi
    [ "$bgrun_now" -lt $((bgrun_kill_at + 200)) ] || break
    command -p sleep 0.1
  done
fi

if [ -z "$bgrun_stopping" ] && { [ -n "$bgrun_termed" ] || { [ "$bgrun_code" -eq 143 ] && ! bgrun_is_success 143; }; }; then
  bgrun_termed=1
  bgrun_note_term
fi
bgrun_bound_log
bgrun_take_files
bgrun_publish "$bgrun_code"

bgrun_more=("ended_at=$bgrun_time")
printf -v bgrun_line 'duration_s=%d.%02d0' $((bgrun_took / 100)) $((bgrun_took % 100))
bgrun_more+=("$bgrun_line")
bgrun_state=failed bgrun_reason=''
! bgrun_is_success "$bgrun_code" || bgrun_state=succeeded
if [ -n "$bgrun_reached" ]; then
  bgrun_state=stopped
  [ "$bgrun_stopping" != timeout ] || bgrun_state=timed_out
  case $bgrun_stopping in
    stop) bgrun_reason="on request" ;;
    timeout) bgrun_reason="exceeded its timeout" ;;
    *) bgrun_reason=$bgrun_stopping ;;
  esac
  bgrun_noun=processes
  [ ${#bgrun_sent[@]} -ne 1 ] || bgrun_noun=process
  bgrun_reason+=" (${#bgrun_sent[@]} $bgrun_noun stopped)"
fi
if [ -n "$bgrun_termed" ] && [ -z "$bgrun_stopping" ]; then
  bgrun_state=
elif [ "$bgrun_code" -eq 137 ] && [ "$bgrun_state" = failed ]; then
  bgrun_state=  # SIGKILL may have come from Slurm, for too much memory: whoever reads this asks it why
else
  bgrun_more+=("state=$bgrun_state" "exit_code=$bgrun_code")
  if [ "$bgrun_code" -gt 128 ] && bgrun_name=$(kill -l "$bgrun_code" 2>/dev/null) && [[ $bgrun_name =~ ^[A-Z0-9]+$ ]]; then
    bgrun_more+=("signal=SIG$bgrun_name")
  fi
  [ -z "$bgrun_reason" ] || bgrun_more+=("reason=$bgrun_reason")
fi
if [ -f "$bgrun_hidden.attempt" ] && read -r bgrun_line <"$bgrun_hidden.attempt" && [[ $bgrun_line =~ ^[0-9]+$ ]]; then
  bgrun_more+=("attempts=$bgrun_line")
fi
if bgrun_write_meta "${bgrun_more[@]}"; then
  [ -z "$bgrun_state" ] || bgrun_remove "$bgrun_hidden.stop"
fi 2>/dev/null
bgrun_remove "$bgrun_hidden.attempt" "$bgrun_hidden.env" "$bgrun_hidden.besides"

# The first run of the group that does not succeed makes the stop request of the group, if that fails fast.
if [ "$bgrun_fails_fast" = true ] && [ "$bgrun_state" != succeeded ]; then
  printf '%s\n' "reason=fail_fast: $bgrun_run did not succeed" "requested_at=$bgrun_time" >"$bgrun_hidden.stop.$$" &&
    command -p ln -- "$bgrun_hidden.stop.$$" "$bgrun_group_stop"
  command -p rm -f -- "$bgrun_hidden.stop.$$"
fi 2>/dev/null

bgrun_call_hooks "$bgrun_state"

[ "$bgrun_state" = succeeded ] || [ "$bgrun_code" -ne 0 ] || exit 1
[ "$bgrun_state" = succeeded ] || exit "$bgrun_code"
exit 0
