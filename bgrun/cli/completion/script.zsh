#compdef bgrun
# Completion of bgrun for zsh. To install it, add this line to ~/.zshrc:
#   eval "$(bgrun completion zsh)"
# or write this script to a file _bgrun in a directory of $fpath.

_bgrun() {
    local tool=$words[1] line value shown skip
    local -a reply whole whole_shown begun begun_shown
    local -i width=0 padded
    (( $+commands[$tool] )) || [[ -x ${~tool} ]] || tool=bgrun
    reply=("${(@f)$(_BGRUN_COMPLETE=zsh ${~tool} "${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
    for line in $reply; do
        # As wide as the longest value with a text, so that the texts stand in a column.
        value=${${line%%$'\t'*}[2,-1]}
        [[ $line == [=+]*$'\t'?* ]] && (( $#value > width && $#value <= 40 )) && width=$#value
    done
    for line in $reply; do
        value=${${line%%$'\t'*}[2,-1]} shown=$value
        if [[ -n ${line#*$'\t'} ]]; then
            (( padded = $#value > width ? $#value : width ))
            shown="${(r.padded.)value}  -- ${line#*$'\t'}"
        fi
        case $line in
            command\ *)
                skip=$(( ${line#command } + 1 ))
                shift $skip words
                (( CURRENT -= skip ))
                _normal
                return ;;
            files\ *)
                _bgrun_add
                skip=${${line#files }#* }
                PREFIX=${PREFIX#$skip} IPREFIX=$IPREFIX$skip
                case $line in
                    files\ any*) _files ;;
                    files\ directory*) _files -/ ;;
                    files\ yaml*) _files -g '*.(yaml|yml)(-.)' ;;
                esac
                return ;;
            '='*) whole+=("$value") whole_shown+=("$shown") ;;
            '+'*) begun+=("$value") begun_shown+=("$shown") ;;
        esac
    done
    _bgrun_add
}

# Add the values: those that need a space after them, and those that more of the word follows.
_bgrun_add() {
    (( $#whole )) && compadd -V bgrun -l -d whole_shown -a whole
    (( $#begun )) && compadd -V bgrun -l -d begun_shown -S '' -a begun
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _bgrun "$@"
elif (( $+functions[compdef] )); then
    compdef _bgrun bgrun
else
    # The completion system is not set up, perhaps not yet: look again before the first prompt.
    _bgrun_register() {
        add-zsh-hook -d precmd _bgrun_register
        (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
        compdef _bgrun bgrun
    }
    autoload -Uz add-zsh-hook && add-zsh-hook precmd _bgrun_register
fi
