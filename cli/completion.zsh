#compdef ply-exporter ply
# Completion for ply-exporter and ply: the program itself says what may follow.
_ply_exporter() {
    local -a matches before
    before=("${(@)words[2,CURRENT-1]}")
    compset -P '--*=' && before+=("${IPREFIX%=}") # --name=value
    matches=(${(f)"$($words[1] --completion-bash "${(@)before}" "$PREFIX" 2>/dev/null)"})
    compadd -a matches
    (( compstate[nmatches] )) || _files
}
if [[ $funcstack[1] == _ply-exporter ]]; then
    _ply_exporter "$@" # loaded by compinit
else
    compdef _ply_exporter ply-exporter ply
fi
