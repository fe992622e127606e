# Ends the processes with one of the variables $1 ("A=x|B=x") in their environment, and all their
# descendants, for sudo drops the variables; never this shell's own ancestors. All are halted
# first, again and again until none is new, so that none can fork away. Ansible's modules are then
# interrupted, on which they remove what they had unpacked in /tmp. Who does not heed SIGTERM within
# two seconds is killed. $2 is "ask" where sudo's password stands on standard input.
# Exit status: 0 nothing is left, 3 something is (and printed). Runs on any host: sh, grep, awk.

tree() {
  marked=$(grep -lszxE "$1" /proc/[0-9]*/environ)
  cat /proc/[0-9]*/status 2>/dev/null | awk -v self=$$ -v paths="$(echo $marked)" '
    BEGIN { n = split(paths, path, " "); for (; n; n--) { split(path[n], part, "/"); in_tree[part[3]] } }
    /^State:/ { state = $2 }
    /^Pid:/ { pid = $2 }
    /^PPid:/ && state != "Z" { parent[pid] = $2 }
    END {
      for (pid = self; pid in parent; pid = parent[pid]) delete in_tree[pid]
      do {
        grew = 0
        for (pid in parent) if (!(pid in in_tree) && (parent[pid] in in_tree)) { in_tree[pid]; grew = 1 }
      } while (grew)
      for (pid in in_tree) if (pid in parent) print pid
    }'
}

living() {
  for pid in $1; do cat "/proc/$pid/status"; done 2>/dev/null |
    awk '/^Name:/ { name = $2 } /^State:/ { state = $2 } /^Pid:/ && state != "Z" { print name, $2 }'
}

wait_for_the_end_of() {
  tries=$2
  while [ "$tries" -gt 0 ] && [ "$(living "$1")" ]; do
    sleep 0.1
    tries=$((tries - 1))
  done
}

# A Python that reads its program from standard input, or from a file of Ansible's.
is_module() (
  set -f
  set -- $(tr '\0' ' ' <"/proc/$1/cmdline")
  case ${1##*/}:$#:$* in python*:1:* | python*/AnsiballZ_*) ;; *) exit 1 ;; esac
) 2>/dev/null

# Only root sees the marks of what root runs. It may be all that is left: of a daemon that sudo
# started no ancestor need live. So whoever can become root does, whatever is to be seen.
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null && exec sudo -n /bin/sh -c "$0" "$0" "$1" never
  [ "$2" = ask ] && exec sudo -S -p '' /bin/sh -c "$0" "$0" "$1" never
fi

known=" "
new=yes
while [ "$new" ]; do
  new=
  for pid in $(tree "$1"); do
    case $known in *" $pid "*) continue ;; esac
    known="$known$pid " new=yes
    kill -STOP "$pid" 2>/dev/null
  done
done

modules=
for pid in $known; do
  is_module "$pid" && modules="$modules $pid" && kill -INT "$pid" && kill -CONT "$pid"
done 2>/dev/null
wait_for_the_end_of "$modules" 30 # a busy host takes its time
for signal in TERM CONT; do
  for pid in $known; do kill -$signal "$pid" 2>/dev/null; done
done
wait_for_the_end_of "$known" 20
for pid in $known; do kill -KILL "$pid" 2>/dev/null; done
wait_for_the_end_of "$known" 10
left=$(living "$known")
[ -z "$left" ] || { echo $left; exit 3; }
