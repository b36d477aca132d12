# What the launcher of a run does besides its command: keeps test reports and outputs, and calls hooks. The login node
# writes this to a file that the launcher reads, after bgrun_dir, where the job runs, and bgrun_declared, four words for
# each thing that it declares:
#   hook WHEN SECONDS COMMAND    junit GLOB - -    glob NAME GLOB -    json NAME PATH -
# Files are kept in the form, in the order and with the limits of the local engine (bgrun/local/recording). Every variable
# has the prefix bgrun_, as in the launcher, whose functions and variables these use. As there: no command or process
# substitution, since a trap may become due; the last part of a pipeline runs in this shell.

bgrun_secrets=()
if [ -f "$bgrun_hidden.env" ]; then
  while IFS= read -r -d '' bgrun_line; do bgrun_secrets+=("$bgrun_line"); done <"$bgrun_hidden.env"
fi
declare -A bgrun_stat=() bgrun_seen=() bgrun_met=() bgrun_copied=()

# Whether the job declares one of these kinds.
bgrun_declares() {
  for ((bgrun_at = 0; bgrun_at < ${#bgrun_declared[@]}; bgrun_at += 4)); do
    [[ " $* " != *" ${bgrun_declared[bgrun_at]} "* ]] || return 0
  done
  return 1
}

# --- files ------------------------------------------------------------------------------------

# Set bgrun_names to the names in the directory $1 that the pattern $2 matches, as paths.
bgrun_expand() {
  local IFS=''  # the pattern may contain blanks
  bgrun_names=("$1"/$2)
}

# Add the paths that the segments $2… of a glob match below the directory $1 to bgrun_paths. `**` follows no symbolic
# link. After bgrun_due the rest is left out.
bgrun_below() {
  local here=$1 segment=$2 at stack
  shift 2
  bgrun_clock
  [ "$bgrun_now" -lt "$bgrun_due" ] || return
  if [ "$segment" = '**' ]; then
    stack=("$here")
    while [ ${#stack[@]} -gt 0 ] && [ "$bgrun_now" -lt "$bgrun_due" ]; do
      here=${stack[-1]}
      unset 'stack[-1]'
      [ $# -eq 0 ] || bgrun_below "$here" "$@"
      for at in "$here"/*; do
        if [ -d "$at" ] && [ ! -L "$at" ]; then
          stack+=("$at")
        elif [ $# -eq 0 ]; then
          bgrun_paths+=("$at")
        fi
      done
      bgrun_clock
    done
  elif [[ $segment == *[*?[]* ]]; then
    bgrun_expand "$here" "${segment//\\/\\\\}"
    stack=("${bgrun_names[@]}")
    for at in "${stack[@]}"; do
      if [ $# -gt 0 ]; then bgrun_below "$at" "$@"; else bgrun_paths+=("$at"); fi
    done
  elif [ $# -gt 0 ]; then
    bgrun_below "$here/$segment" "$@"
  elif [ -e "$here/$segment" ] || [ -L "$here/$segment" ]; then
    bgrun_paths+=("$here/$segment")
  fi
}

# Set bgrun_paths to the files that the glob $1 matches from the directory of the job.
bgrun_match() {
  local LC_ALL=C segment segments=() top=$bgrun_dir
  bgrun_paths=()
  [[ $1 != */ ]] || return
  [[ $1 != /* ]] || top=''
  while IFS= read -r -d / segment; do [ -z "$segment" ] || segments+=("$segment"); done <<<"$1/"
  [ ${#segments[@]} -gt 0 ] || return
  shopt -s nullglob
  bgrun_below "$top" "${segments[@]}"
  shopt -u nullglob
}

# Set bgrun_stat[PATH] to time, size, inode, device and mode (in hex) of each of these files, or of the first $1 of them.
bgrun_stat_all() {
  local most=$1 first
  shift
  bgrun_stat=()
  for ((first = 1; first <= $# && first <= most; first += 500)); do
    LC_ALL=C command -p stat --printf '%.9Y %s %i %d %f %n\0' -- "${@:first:500}" 2>/dev/null |
      while IFS= read -r -d '' bgrun_line; do
        bgrun_key=${bgrun_line#* * * * * }
        bgrun_stat[$bgrun_key]=${bgrun_line%" $bgrun_key"}
      done
  done
}

bgrun_find_place() { bgrun_place='' && command -p stat -c %d:%i -- "$bgrun_dir" 2>/dev/null | read -r bgrun_place; }

# Note which of the declared files exist before the command: one that has not changed since is an earlier run's.
bgrun_note_files() {
  bgrun_declares junit glob json || return
  bgrun_find_place
  bgrun_noted_place=$bgrun_place
  command -p date +%s%N | read -r bgrun_since
  bgrun_slack=2000000000  # a file system may count in steps of two seconds
  bgrun_clock
  bgrun_due=$((bgrun_now + 50))
  for ((bgrun_at = 0; bgrun_at < ${#bgrun_declared[@]}; bgrun_at += 4)); do
    case ${bgrun_declared[bgrun_at]} in
      junit) bgrun_match "${bgrun_declared[bgrun_at + 1]}" ;;
      glob) bgrun_match "${bgrun_declared[bgrun_at + 2]}" ;;
      json) bgrun_set_path "${bgrun_declared[bgrun_at + 2]}"; bgrun_paths=("$bgrun_path") ;;
      *) continue ;;
    esac
    bgrun_stat_all 2000 "${bgrun_paths[@]}"
    for bgrun_key in "${!bgrun_stat[@]}"; do bgrun_seen[$bgrun_key]=${bgrun_stat[$bgrun_key]}; done
    [ ${#bgrun_paths[@]} -le 2000 ] || bgrun_due=0
  done
  bgrun_clock
  # Then only the times of files are compared.
  [ "$bgrun_now" -lt "$bgrun_due" ] || { command -p date +%s%N | read -r bgrun_since; bgrun_slack=20000000; }
} 2>/dev/null

bgrun_set_path() { [[ $1 == /* ]] && bgrun_path=$1 || bgrun_path=$bgrun_dir/$1; }

# Whether the run has not written a file, by what bgrun_stat_all found of it.
bgrun_is_older() {
  local found=${bgrun_stat[$1]-}
  [ -n "$found" ] || return 0
  [ "${bgrun_seen[$1]-}" != "$found" ] || return 0
  found=${found%% *}
  [ "${found/./}" -lt $((bgrun_since - bgrun_slack)) ]
}

bgrun_is_regular() { local found=${bgrun_stat[$1]-0}; [ $((16#${found##* } & 16#f000)) -eq $((16#8000)) ]; }

# Set bgrun_value to $1 as a value in a file of `key=value` lines.
bgrun_escape() {
  bgrun_value=${1//\\/\\\\}
  bgrun_value=${bgrun_value//$'\n'/\\n}
  bgrun_value=${bgrun_value//$'\r'/\\r}
}

# Copy the file $1 to $2 within what is left of bgrun_room, of $3 MiB; set bgrun_why to why that was not possible.
bgrun_copy() {
  local size=${bgrun_stat[$1]#* }
  size=${size%% *}
  bgrun_why=''
  bgrun_clock
  if [ -L "$1" ]; then
    bgrun_why="cannot read $1: Too many levels of symbolic links"
  elif ! bgrun_is_regular "$1"; then
    bgrun_why="$1 is not a regular file"
  elif [ "$size" -gt "$bgrun_room" ]; then
    bgrun_why="$1 exceeds the limit of $3 MiB"
  elif [ "$bgrun_now" -ge "$bgrun_due" ]; then
    bgrun_why="$1 could not be copied within 2 s"
  elif ! command -p timeout 2 cp --preserve=timestamps -- "$1" "$2"; then
    command -p rm -f -- "$2"
    bgrun_why="cannot read $1"
    [ -e "$1" ] || bgrun_why="$1 was removed as the run finished"
  else
    bgrun_room=$((bgrun_room - size))
  fi
  [ -z "$bgrun_why" ]
}

# Print the index of the test reports that the run wrote, those that the glob $1 matches, and copy them to bgrun_copies.
bgrun_take_reports() {
  local note='' count=0 met='' path
  bgrun_find_place
  if [ "$bgrun_place" != "$bgrun_noted_place" ]; then
    note="$1: the directory $bgrun_dir was removed or replaced"
  else
    bgrun_clock
    bgrun_due=$((bgrun_now + 200)) bgrun_room=$((64 << 20)) bgrun_met=()
    bgrun_match "$1"
    bgrun_stat_all ${#bgrun_paths[@]} "${bgrun_paths[@]}"
    for path in "${bgrun_paths[@]}"; do
      if [ "$count" -ge 2000 ]; then
        note="$1: only 2000 of the files were copied"
        break
      fi
      met=1
      [ -z "${bgrun_met[$path]-}" ] || continue  # a glob with two `**` finds a file more than once
      bgrun_met[$path]=1
      ! bgrun_is_older "$path" || continue
      if bgrun_copy "$path" "$bgrun_copies/$count" 64; then
        bgrun_escape "$path"
        printf '%d=%s\n' "$count" "$bgrun_value"
        count=$((count + 1))
      else
        note="$1: $bgrun_why"
      fi
    done
    bgrun_clock
    if [ "$count" -lt 2000 ] && [ "$bgrun_now" -ge "$bgrun_due" ]; then note="$1: not all files were found within 2 s"; fi
    if [ "$count" -eq 0 ] && [ -z "$note" ]; then
      note="$1 was not written"
      [ -z "$met" ] || note="$1 is older than the run"
    fi
  fi
  bgrun_escape "$note"
  printf 'note=%s\n' "$bgrun_value"
}

# Print the lines of the index of outputs for one: its kind, name, and path or glob.
bgrun_take_output() {
  local name=$2 path
  bgrun_find_place
  if [ "$bgrun_place" != "$bgrun_noted_place" ]; then
    bgrun_escape "the directory $bgrun_dir was removed or replaced"
    printf '%s.note=%s\n' "$name" "$bgrun_value"
  elif [ "$1" = json ]; then
    [ -n "${bgrun_copied[$3]-}" ] || bgrun_take_document "$3"
    bgrun_escape "${bgrun_copied[$3]#*=}"
    printf '%s.%s=%s\n' "$name" "${bgrun_copied[$3]%%=*}" "$bgrun_value"
  else
    bgrun_list_files "$name" "$3"
  fi
}

# Copy a document once, and note in bgrun_copied under which name, or why not.
bgrun_take_document() {
  local copy=output${#bgrun_copied[@]}
  bgrun_set_path "$1"
  bgrun_stat_all 1 "$bgrun_path"
  if [ -z "${bgrun_stat[$bgrun_path]-}" ]; then
    bgrun_copied[$1]="note=$1 was not written"
  elif bgrun_is_older "$bgrun_path"; then
    bgrun_copied[$1]="note=$1 is older than the run"
  elif bgrun_copy "$bgrun_path" "$bgrun_copies/$copy" 16; then
    bgrun_copied[$1]=copy=$copy
  else
    bgrun_copied[$1]=note=$bgrun_why
  fi
}

# Print the lines for the output $1: the time and the path of each file that the glob $2 matches and the run wrote.
bgrun_list_files() {
  local path more=0 count=0 old='' at
  bgrun_met=()
  bgrun_match "$2"
  bgrun_stat_all ${#bgrun_paths[@]} "${bgrun_paths[@]}"
  for path in "${bgrun_paths[@]}"; do
    [ -z "${bgrun_met[$path]-}" ] && bgrun_is_regular "$path" || continue
    bgrun_met[$path]=1
    if bgrun_is_older "$path"; then
      old=1
    elif [ "$count" -lt 20 ]; then
      at=${bgrun_stat[$path]%% *}
      bgrun_escape "${path#"$bgrun_dir/"}"
      printf '%s.%d=%s %s\n' "$1" "$count" "${at/./}" "$bgrun_value"
      count=$((count + 1))
    else
      more=$((more + 1))
    fi
  done
  [ "$more" -eq 0 ] || printf '%s.more=%d\n' "$1" "$more"
  bgrun_clock
  if [ "$bgrun_now" -ge "$bgrun_due" ]; then
    bgrun_escape "$2: not all files were found within 2 s"
  elif [ "$count" -gt 0 ]; then
    return
  elif [ -n "$old" ]; then
    bgrun_escape "$2 is older than the run"
  else
    bgrun_escape "$2 was not written"
  fi
  printf '%s.note=%s\n' "$1" "$bgrun_value"
}

# Keep the test reports and outputs that the run wrote, all or nothing: no error in this changes its result.
bgrun_take_files() {
  bgrun_declares junit glob json || return
  bgrun_copies=$bgrun_logs/jobs/.$bgrun_run.reports
  command -p rm -rf -- "$bgrun_copies"
  command -p mkdir -- "$bgrun_copies" && bgrun_take_all &&
    command -p mv -T -- "$bgrun_copies" "$bgrun_logs/jobs/$bgrun_run.reports" || command -p rm -rf -- "$bgrun_copies"
} 2>/dev/null

bgrun_take_all() {
  local at
  for ((at = 0; at < ${#bgrun_declared[@]}; at += 4)); do
    [ "${bgrun_declared[at]}" != junit ] || bgrun_take_reports "${bgrun_declared[at + 1]}" >"$bgrun_copies/index" || return
  done
  bgrun_declares glob json || return 0
  bgrun_clock
  bgrun_due=$((bgrun_now + 200)) bgrun_room=$((16 << 20))
  for ((at = 0; at < ${#bgrun_declared[@]}; at += 4)); do
    case ${bgrun_declared[at]} in glob | json) bgrun_take_output "${bgrun_declared[@]:at:3}" || return ;; esac
  done >"$bgrun_copies/outputs"
}

# --- hooks ------------------------------------------------------------------------------------

# Call the hooks for a state, with the run in variables, and wait until they have ended or their timeouts have.
# Of a run that Slurm terminated only Slurm can tell the state, later: it is empty, and only `finish` is called.
bgrun_call_hooks() {
  bgrun_declares hook || return
  [ -n "$1" ] || [ -n "$bgrun_termed" ] || set -- failed  # killed with SIGKILL: only the reason is unknown
  bgrun_of=()
  for bgrun_line in "${bgrun_known[@]}" "${bgrun_more[@]}"; do
    printf -v bgrun_value %b "${bgrun_line#*=}"
    bgrun_of[${bgrun_line%%=*}]=$bgrun_value
  done
  bgrun_hooks=()
  for ((bgrun_at = 0; bgrun_at < ${#bgrun_declared[@]}; bgrun_at += 4)); do
    case ${bgrun_declared[bgrun_at]}:${bgrun_declared[bgrun_at + 1]}:$1 in
      hook:finish:* | hook:success:succeeded | hook:failure:failed | hook:failure:timed_out)
        bgrun_call "$1" "${bgrun_declared[@]:bgrun_at + 2:2}" </dev/null >>"$bgrun_logs/jobs/$bgrun_run.hooks.log" 2>&1 &
        bgrun_hooks+=("$!")
        ;;
    esac
  done
  for bgrun_target in "${bgrun_hooks[@]}"; do
    while kill -0 "$bgrun_target" 2>/dev/null; do wait "$bgrun_target"; done
  done
}

# In a process of its own: become a hook of so many seconds.
bgrun_call() {
  trap - HUP INT QUIT TERM USR1 USR2
  exec {bgrun_gate}>&-  # the keeper sees by it that the launcher has ended
  umask "$bgrun_umask"
  for bgrun_line in "${bgrun_secrets[@]}"; do export "${bgrun_line?}"; done
  cd -- "$bgrun_dir" 2>/dev/null || cd /
  set -- "BGRUN_STATE=$1" "BGRUN_RUN_ID=$bgrun_run" "BGRUN_LOG_DIR=$bgrun_logs" "BGRUN_LOG=$bgrun_log" \
    "BGRUN_META=$bgrun_meta" "BGRUN_EXIT_CODE=$bgrun_code" timeout -s KILL "$2" bash -p -eo pipefail -c "$3"
  for bgrun_key in label job group signal reason started_at ended_at duration_s cmd git_sha git_branch; do
    set -- "BGRUN_${bgrun_key^^}=${bgrun_of[$bgrun_key]-}" "$@"
  done
  set -- -u SHELLOPTS -u BASHOPTS -u BGRUN_GATE "${bgrun_back[@]}" "$@"
  unset "${!bgrun_@}"
  exec env "$@"
}
