/** The launch wrapper: two constant `sh` programs (POSIX; run with dash and bash). They are the one permitted shell, and they parse
 *  nothing that a user wrote: whatever varies arrives as a positional argument. The shape, its order and its traps were measured with
 *  the real agent; each line that looks odd has its reason beside it. */

/** The outer program, run as `sh -c OUTER_SCRIPT owt-outer MODE DIR INNER_SCRIPT CGROUP-PARENT COMMAND…` in a session of its own; mode
 *  `cgroup` alone needs the parent.
 *
 *  It takes the attempt's claim, then becomes the owner of the process tree: in the modes `namespace` and `user-namespace` by turning
 *  into `unshare` (exec keeps the pid and start time that the claim names), in the modes `cgroup` and `group` by waiting itself.
 *
 *  The claim is a symbolic link, `MODE PID BOOT-ID START-TIME [CGROUP]` as its target: symlink(2) is exclusive, and the link is complete in
 *  the moment it appears; that is one fork, where a temporary file, `ln` and `rm` are two. Exit 75: somebody else has the claim. Exit 71: no
 *  cgroup to be had, with a word on standard error. */
export const OUTER_SCRIPT = `
mode=$1 dir=$2 inner=$3 parent=$4
shift 4
exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
# The start time is field 22; a name in parentheses may hold blanks, so the count begins after the last ")".
take() { group=$3 start=\${20}; }
if [ -r "/proc/$$/stat" ]; then
  read -r stat <"/proc/$$/stat"
  read -r boot </proc/sys/kernel/random/boot_id
  take \${stat##*) }
else
  boot=$(sysctl -n kern.bootsessionuuid)
  start=$(LC_ALL=C TZ=UTC0 ps -o lstart= -p "$$")
  group=$(ps -o pgid= -p "$$")
  group=$((group))
fi
claim="$mode $$ $boot $start" cgroup=
if [ "$mode" = cgroup ]; then
  if ! [ -w "$parent/cgroup.procs" ]; then
    echo "owt: no cgroup to be had below '$parent'" >&2
    exit 71
  fi
  # A name that no other wrapper ever has. It is claimed before it is made, so nothing is made that the claim does not name.
  cgroup=$parent/owt-$$-$start-\${boot%%-*}
  claim="$claim $cgroup"
fi
ln -sn "$claim" "$dir/claim" 2>/dev/null || exit 75
enter() {
  # echo is this shell itself, so 0 means us. Without cgroup.kill (before Linux 5.14) the tree could not be ended for sure.
  mkdir "$cgroup" && [ -w "$cgroup/cgroup.kill" ] && echo 0 >"$cgroup/cgroup.procs" && return
  rmdir "$cgroup"
  echo "owt: no cgroup to be had below '$parent'" >&3
  exit 71
}
# As in a namespace, the end of the command is the end of its tree. What dies slowly is left to a sweep.
leave() {
  echo 0 >"$parent/cgroup.procs"
  rmdir "$cgroup" && return
  tries=200
  while [ -d "$cgroup" ] && [ "$((tries -= 1))" != 0 ]; do
    echo 1 >"$cgroup/cgroup.kill"
    find "$cgroup" -depth -type d -exec rmdir {} ';'
  done
}
case $mode in
  namespace) user= ;;
  user-namespace) user='--user --map-current-user' ;;
  group | cgroup)
    # A stop, or the command itself, signals the whole group; we stay to write down how the command took it.
    trap : TERM INT HUP
    exec 3>&2 2>/dev/null
    [ -z "$cgroup" ] || enter
    (exec "$@" 2>&3 3>&-)
    code=$?
    trap '' TERM INT HUP
    echo "$code" >"$dir/exit"
    [ -z "$cgroup" ] || leave
    # Only ever our own group: launch makes us its leader.
    [ "$group" = "$$" ] && kill -s KILL 0
    exit "$code"
    ;;
  *) exit 64 ;;
esac
exec unshare $user --pid --fork --kill-child --mount-proc -- sh -c "$inner" owt-inner "$dir" "$@"
`;

/** The inner program, run by the outer as `sh -c INNER_SCRIPT owt-inner DIR COMMAND…`: pid 1 of the namespace. It runs the command as
 *  pid 2, reaps orphans, and records the command's exit code in `DIR/exit`; when it ends, the kernel kills the rest of the namespace.
 *
 *  The command runs in the foreground, so it keeps its standard input and its INT and QUIT, and its code needs no guessing about an
 *  interrupted `wait`. TERM goes straight to pid 2 ({@link stopTree}); pid 1 is deaf to it, as the kernel makes every pid 1. */
export const INNER_SCRIPT = `
dir=$1
shift
# unshare 2.36 and 2.37 hand TERM and INT on as ignored, which sh cannot undo and env can. Field 33 is the set of ignored signals,
# bit N-1 for signal N (HUP, INT, QUIT, PIPE, TERM: 20487); asking costs 0.2 ms, env 1 ms.
take() { ignored=\${31}; }
read -r stat <"/proc/$$/stat"
take \${stat##*) }
if [ "$((ignored & 20487))" != 0 ]; then
  # env takes a word with "=" for an assignment.
  case $1 in *=*) set -- sh -c 'exec "$@"' sh "$@" ;; esac
  set -- env --default-signal=HUP,INT,QUIT,PIPE,TERM -- "$@"
fi
# The shell's own remarks ("Terminated") stay out of the command's stderr.
exec 3>&2 2>/dev/null
(exec "$@" 2>&3 3>&-)
code=$?
# Read only once the outer is gone, so no rename: a file without its newline was cut short and counts as no code.
echo "$code" >"$dir/exit"
exit "$code"
`;
