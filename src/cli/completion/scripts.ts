/** The completion scripts: each asks `owt __complete` and hands on what it says. Nothing that a repository brings is evaluated. */

const BASH = `# bash completion for owt: source <(owt completion bash)
_owt() {
  local word about files=
  COMPREPLY=()
  while IFS=$'\\t' read -r word about; do
    if [ "$word" = ":files" ]; then files=1; else COMPREPLY+=("$word"); fi
  done < <(owt __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [ "\${#COMPREPLY[@]}" -eq 0 ] && [ -n "$files" ]; then compopt -o default 2>/dev/null; fi
}
complete -F _owt owt
`;

const ZSH = `#compdef owt
# zsh completion for owt: source <(owt completion zsh), behind compinit; or as _owt in a folder of $fpath
_owt() {
  local -a found
  local line word about files
  while IFS= read -r line; do
    if [[ $line == :files ]]; then files=1; continue; fi
    word=\${line%%$'\\t'*} about=
    if [[ $line == *$'\\t'* ]]; then about=\${line#*$'\\t'}; fi
    found+=("\${word//:/\\\\:}\${about:+:$about}")
  done < <(owt __complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null)
  (( $#found )) && _describe -t owt owt found
  [[ -n $files ]] && _files
  return 0
}
if [[ $funcstack[1] == _owt ]]; then _owt "$@"; else compdef _owt owt; fi
`;

const FISH = `# fish completion for owt: owt completion fish > ~/.config/fish/completions/owt.fish
function __owt_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found (owt __complete $words[2..] "$current" 2>/dev/null)
    for line in $found
        if test "$line" = ":files"
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c owt -f -a '(__owt_complete)'
`;

export const COMPLETION_SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
