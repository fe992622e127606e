"""Snapshots of the inventory's VMs: listed, taken, reverted to, removed, and pruned.

host_vms   the VM of each host, with its snapshots, in all vCenters at the same time
flow       a run that works on snapshots; those of a name, chosen again under its locks
create, remove, revert   what is done to them, a verb a module
taking, reverting   the VMs of one vCenter, all at the same time: each is told as its task ends
maybe_off   which VMs a revert may leave off
plan, prune   what the retention says of each snapshot, as lists show it, and the removal
"""
