#!/bin/sh
# ssh(1) as the Ansible of a run calls it. How each host is reached is noted in $DIAKEN_SSH_CALLS, a
# file a way: the folder and the arguments, each with a NUL behind it, without the last argument,
# which is the remote command and may hold secrets. The marks are set here, for a host's own
# `ansible_ssh_args` replace all that Ansible was told to give; of SetEnv the first one counts. A note
# is on the disk before anything runs on the host: after a power cut it says what may go on there.

note() {
  previous='' way='' destination=''
  for argument; do
    case $argument in
      -O) return ;; # it asks a master, and reaches no host
      ControlPath=* | User=* | Port=*) way="$way${argument##*/}," ;;
    esac
    destination=$previous previous=$argument
  done
  file=$way$destination
  case $file in */*) return ;; esac
  file=$DIAKEN_SSH_CALLS/$file
  [ -e "$file" ] || [ "$destination" = "" ] || {
    write "$@" >"$file.part$$" && sync "$file.part$$" && mv "$file.part$$" "$file" && sync "$DIAKEN_SSH_CALLS"
  }
}

write() {
  printf '%s\0' "$PWD"
  while [ $# -gt 1 ]; do
    printf '%s\0' "$1"
    shift
  done
}

[ ! -d "$DIAKEN_SSH_CALLS" ] || note "$@" 2>/dev/null
exec ssh ${DIAKEN_REMOTE_MARKS:+-o "SetEnv=$DIAKEN_REMOTE_MARKS"} "$@"
