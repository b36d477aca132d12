# Completion of bgrun for fish. To install it:
#   bgrun completion fish > ~/.config/fish/completions/bgrun.fish

function __bgrun_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l tool $words[1]
    set -e words[1]
    type -q -- $tool; or set tool bgrun
    for line in (env _BGRUN_COMPLETE=fish $tool $words "$current" 2>/dev/null)
        switch $line
            case 'command *'
                set -e words[1..(string replace 'command ' '' -- $line)]
                complete -C (string join ' ' -- (string escape -- $words) "$current")
            case 'files directory *'
                set -l prefix (string replace 'files directory ' '' -- $line)
                set -l begun (string sub -s (math 1 + (string length -- "$prefix")) -- "$current")
                printf "$prefix%s\n" (complete -C "'' $begun" | string match -r '^[^\t]*/(?=\t|$)')
            case 'files *'
                set -l prefix (string replace -r '^files \w+ ' '' -- $line)
                set -l begun (string sub -s (math 1 + (string length -- "$prefix")) -- "$current")
                string replace -r '^' "$prefix" -- (complete -C "'' $begun")
            case '*'
                string sub -s 2 -- $line
        end
    end
end

complete -c bgrun -f -k -a '(__bgrun_complete)'
