"""All that talks to vCenter; pyVmomi does not leave this package, managed objects go by reference.

| room | what it knows |
|---|---|
| `session` | connecting, TLS, logging in and out, the clock |
| `connection` | one TLS connection: each call ends in time, no answer is larger than it may be |
| `soap` | a request as bytes; an answer as objects of checked types |
| `transport` | one call: time-outs, what may be repeated, logging in again |
| `faults` | vSphere's faults, by type, as our errors |
| `properties` | the PropertyCollector: read many objects in one call, watch them |
| `privileges` | what the account lacks |
| `vms` | the VMs of a vCenter, and one VM's facts |
| `inventory` | datacenters, clusters, datastores, networks, folders, templates; browse |
| `placement` | pure: where a deploy request's VM goes, or all that is wrong with it |
| `clone` | from a placement and a request to a vSphere task |
| `tasks` | wait for many vSphere tasks, cancel one |
| `power` | power on and off, destroy, the identity, the guest's addresses |
| `rest`, `tags` | the REST API; the tags of VMs |
| `snapshots` | trees, create, remove, revert |
"""
