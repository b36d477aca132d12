# Completion of bgrun for bash 3.2 and later. To install it, add this line to ~/.bashrc:
#   eval "$(bgrun completion bash)"

_bgrun() {
    local tool=$1 line reply
    type -P "$tool" >/dev/null || tool=bgrun
    reply=$(_BGRUN_COMPLETE=bash "$tool" "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
    COMPREPLY=()
    case $reply in
        'command '*) _bgrun_command "${reply#command }" "$2" "$3" ;;
        ?*) while IFS= read -r line; do COMPREPLY+=("$line"); done <<<"$reply" ;;
    esac
}

# Complete the command that begins at this place of the line, as if it stood alone.
_bgrun_command() {
    local ahead=${COMP_LINE:0:$1} count=0 spec handler line end
    while [[ $ahead == *[![:space:]]* ]]; do
        ahead=${ahead#*"${COMP_WORDS[count]}"}
        count=$((count + 1))
    done
    type compopt &>/dev/null && compopt +o nospace # bash 4
    if declare -F _command_offset >/dev/null; then # bash-completion
        _command_offset "$count"
        return
    fi
    COMP_LINE=${COMP_LINE:$1} COMP_POINT=$((COMP_POINT - $1)) COMP_CWORD=$((COMP_CWORD - count))
    COMP_WORDS=("${COMP_WORDS[@]:count}")
    spec=$(complete -p -- "${COMP_WORDS[0]##*/}" 2>/dev/null)
    handler=${spec##* -F }
    if [[ $COMP_CWORD -gt 0 && $spec == *' -F '* ]]; then
        "${handler%% *}" "${COMP_WORDS[0]}" "$2" "$3"
    else
        [[ $COMP_CWORD -eq 0 ]] && spec=-c || spec=-f
        while IFS= read -r line; do
            if ! type compopt &>/dev/null; then
                [[ -d $line ]] && end=/ || end=' '
                printf -v line '%q%s' "$line" "$end"
            fi
            COMPREPLY+=("$line")
        done < <(compgen -d "$spec" -- "$2")
        type compopt &>/dev/null && compopt -o filenames
    fi
}

complete -o nospace -o nosort -F _bgrun bgrun 2>/dev/null || complete -o nospace -F _bgrun bgrun
