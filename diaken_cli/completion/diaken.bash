# Completion of diaken for bash 4.4 and newer.

_diaken() {
    local found
    found=$(_DIAKEN_COMPLETE=bash "${1/#\~\//$HOME/}" "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    COMPREPLY=()
    if [[ $found == :files ]]; then
        compopt -o default
    elif [[ -n $found ]]; then
        compopt -o nosort
        mapfile -t COMPREPLY <<<"$found"
    fi
}

complete -F _diaken diaken
