"""Shell completion: what may follow the words that were typed, without loading the app.

A shell asks at each press of TAB, so this is quick: the commands and their options come from a
table that was generated from them (`make docs`), names from the database, by the standard
library alone. Whatever goes wrong there, no names are printed and nobody waits.

The scripts beside this file ask with `_DIAKEN_COMPLETE=SHELL diaken WORD… INCOMPLETE`, and get a
line a candidate, what it means after a tab; `:files` asks for the shell's own completion of paths.
"""
