"""The kernel: whatever is recorded is begun, carried out, undone, paused and settled here.

    begin        a run from its lock file to how it ended; hosts are chosen as they are locked;
                 who is told what happens
    active       the run while it goes on: its steps, its events, stored before they are shown,
                 its results, its end
    steps        a list of declared steps: executed, resumed, undone
    dead_runs    runs whose process died become `interrupted`; what they left running is ended

A flow (`actions/`) says what a run is about by a `Selection` and what it does by a list of steps.
"""
