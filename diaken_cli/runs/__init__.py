"""The kernel: whatever is recorded is begun, carried out, undone, paused and settled here.

    begin        a run from its lock file to how it ended; hosts are chosen as they are locked
    active       the run while it goes on: its steps, its events, its results
    journal      a list of declared steps: carried out, taken up again, undone
    recorder     stores what happens, before anybody is shown it
    subscribers  who else is told: the screen
    settle       runs whose process died become `interrupted`
    remains      what such a run left on its hosts is ended before they are free

A flow (`actions/`) says what a run is about by a `Selection` and what it does by a list of steps.
"""
