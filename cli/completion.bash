# Completion for ply-exporter and ply: the program itself says what may follow.
_ply_exporter() {
    local word words=() current=${COMP_WORDS[COMP_CWORD]}
    [[ $current != = ]] || current=
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}" "$current"; do
        [[ $word == = ]] || words+=("$word") # bash divides --name=value at the =
    done
    mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" --completion-bash "${words[@]}" 2>/dev/null)" -- "$current")
}
complete -o default -F _ply_exporter ply-exporter ply
