"""All that talks to vCenter; pyVmomi does not leave this package, managed objects go by reference.

| module | what it knows |
|---|---|
| `session` | connecting, logging in and out, the clock |
| `tls` | how a vCenter's certificate is verified, and what is wrong with one that is refused |
| `connection` | one TLS connection: each call ends in time, no answer is larger than it may be |
| `soap` | a request as bytes, and its answer |
| `deserializer`, `quick` | an answer as objects, without what is odd; the same for many |
| `versions` | the version of the API that both sides know |
| `transport` | one call: timeouts, what may be repeated, logging in again |
| `faults` | vSphere's faults, and the network's, as our errors |
| `names` | names and other texts of vSphere, fit to be kept and shown |
| `properties`, `changes` | the PropertyCollector: read many objects in one call, watch them |
| `privileges` | what the account lacks |
| `inventory` | datacenters, clusters, datastores, networks, folders, VMs |
| `matching` | pure: one of them by its name or path; which datacenter may be worked in |
| `browse` | the same as rows to print, and VMs as hosts to import |
| `templates` | a template's hardware, and the clone that is made of it |
| `placement` | pure: where a deploy request's VM goes, or all that is wrong with it |
| `requested` | what a deploy request names, looked up in the inventory |
| `datastores` | the datastore for a VM, also by Storage DRS |
| `disks` | a VM's disks and their files; make the first one larger |
| `vms` | the VMs, and one VM: its facts, its power, its identity, its addresses; destroy it |
| `tasks`, `task_follower` | wait for many vSphere tasks, cancel one; follow those that come |
| `snapshots` | trees, create, remove, revert |
| `within` | which VMs are in the stored datacenter |
| `rest`, `tags` | the REST API; the tags of VMs |
"""
