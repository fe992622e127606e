# Completion of diaken for fish 3.1 and newer.

function __diaken_complete
    set -l words (commandline -opc)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -e words[1]
    set -l found (_DIAKEN_COMPLETE=fish $program $words (commandline -ct) 2>/dev/null)
    if test "$found" = ":files"
        __fish_complete_path (commandline -ct)
    else
        string join \n -- $found
    end
end

complete --command diaken --no-files --keep-order --arguments '(__diaken_complete)'
