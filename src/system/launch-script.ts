/** The launch wrapper: two constant `sh` programs (POSIX; run with dash and bash). They are the one permitted shell, and they parse
 *  nothing that a user wrote: whatever varies arrives as a positional argument. The shape, its order and its traps were measured with
 *  the real agent; each line that looks odd has its reason beside it. */

/** The outer program, run as `sh -c OUTER_SCRIPT owt-outer MODE DIR INNER_SCRIPT CGROUP-PARENT COMMAND…` in a session of its own; mode
 *  `cgroup` alone needs the parent. A launch shell's subshell runs it in its own place where the mode is one of the namespaces: hence
 *  `/proc/self` and not `$$`, which there is the shell's, and variables with names that nobody exports.
 *
 *  It takes the attempt's claim, then becomes the owner of the process tree: in the modes `namespace` and `user-namespace` by turning
 *  into `unshare` (exec keeps the pid and start time that the claim names), in the modes `cgroup` and `group` by waiting itself.
 *
 *  The claim is the file `claim` with the line `MODE PID BOOT-ID START-TIME [CGROUP]`, made exclusively (`set -C`). A shell makes a file and writes it
 *  in two steps, so whoever wants the claim says the same in `claim.PID` first: one that is still empty is then somebody's all the same. A link would be complete in the moment it appears,
 *  and takes a program. Exit 75: somebody else has the claim. Exit 71: no cgroup to be had, with a word on standard error. */
export const OUTER_SCRIPT = `
owt_mode=$1 owt_dir=$2 owt_inner=$3 owt_parent=$4
shift 4
exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
# The start time is field 22; a name in parentheses may hold blanks, so the count begins after the last ")".
take() { owt_group=$3 owt_start=\${20}; }
if [ -r /proc/self/stat ]; then
  read -r owt_stat </proc/self/stat
  read -r owt_boot </proc/sys/kernel/random/boot_id
  take \${owt_stat##*) }
  owt_pid=\${owt_stat%% *}
else
  owt_pid=$$
  owt_boot=$(sysctl -n kern.bootsessionuuid)
  owt_start=$(LC_ALL=C TZ=UTC0 ps -o lstart= -p "$$")
  owt_group=$(ps -o pgid= -p "$$")
  owt_group=$((owt_group))
fi
owt_claim="$owt_mode $owt_pid $owt_boot $owt_start" owt_cgroup=
if [ "$owt_mode" = cgroup ]; then
  if ! [ -w "$owt_parent/cgroup.procs" ]; then
    echo "owt: no cgroup to be had below '$owt_parent'" >&2
    exit 71
  fi
  # A name that no other wrapper ever has. It is claimed before it is made, so nothing is made that the claim does not name.
  owt_cgroup=$owt_parent/owt-$owt_pid-$owt_start-\${owt_boot%%-*}
  owt_claim="$owt_claim $owt_cgroup"
fi
{ printf '%s\\n' "$owt_claim" >"$owt_dir/claim.$owt_pid" && set -C &&
  printf '%s\\n' "$owt_claim" >"$owt_dir/claim"; } 2>/dev/null || exit 75
set +C
enter() {
  # echo is this shell itself, so 0 means us. Without cgroup.kill (before Linux 5.14) the tree could not be ended for sure.
  mkdir "$owt_cgroup" && [ -w "$owt_cgroup/cgroup.kill" ] && echo 0 >"$owt_cgroup/cgroup.procs" && return
  rmdir "$owt_cgroup"
  echo "owt: no cgroup to be had below '$owt_parent'" >&3
  exit 71
}
# As in a namespace, the end of the command is the end of its tree. What dies slowly is left to a sweep.
leave() {
  echo 0 >"$owt_parent/cgroup.procs"
  rmdir "$owt_cgroup" && return
  owt_tries=200
  while [ -d "$owt_cgroup" ] && [ "$((owt_tries -= 1))" != 0 ]; do
    echo 1 >"$owt_cgroup/cgroup.kill"
    find "$owt_cgroup" -depth -type d -exec rmdir {} ';'
  done
}
case $owt_mode in
  namespace) owt_user= ;;
  user-namespace) owt_user='--user --map-current-user' ;;
  group | cgroup)
    # A stop, or the command itself, signals the whole group; we stay to write down how the command took it.
    trap : TERM INT HUP
    exec 3>&2 2>/dev/null
    [ -z "$owt_cgroup" ] || enter
    (exec "$@" 2>&3 3>&-)
    owt_code=$?
    trap '' TERM INT HUP
    echo "$owt_code" >"$owt_dir/exit"
    [ -z "$owt_cgroup" ] || leave
    # Only ever our own group: launch makes us its leader.
    [ "$owt_group" = "$$" ] && kill -s KILL 0
    exit "$owt_code"
    ;;
  *) exit 64 ;;
esac
exec unshare $owt_user --pid --fork --kill-child --mount-proc -- sh -c "$owt_inner" owt-inner "$owt_dir" "$@"
`;

/** The inner program, run by the outer as `sh -c INNER_SCRIPT owt-inner DIR COMMAND…`: pid 1 of the namespace. It runs the command as
 *  pid 2, reaps orphans, and records the command's exit code in `DIR/exit`; when it ends, the kernel kills the rest of the namespace.
 *
 *  The command runs in the foreground, so it keeps its standard input and its INT and QUIT, and its code needs no guessing about an
 *  interrupted `wait`. TERM goes straight to pid 2 ({@link stopTree}); pid 1 is deaf to it, as the kernel makes every pid 1. */
export const INNER_SCRIPT = `
owt_dir=$1
shift
# unshare 2.36 and 2.37 hand TERM and INT on as ignored, which sh cannot undo and env can. Field 33 is the set of ignored signals,
# bit N-1 for signal N (HUP, INT, QUIT, PIPE, TERM: 20487); asking costs 0.2 ms, env 1 ms.
take() { owt_ignored=\${31}; }
read -r owt_stat </proc/self/stat
take \${owt_stat##*) }
if [ "$((owt_ignored & 20487))" != 0 ]; then
  # env takes a word with "=" for an assignment.
  case $1 in *=*) set -- sh -c 'exec "$@"' sh "$@" ;; esac
  set -- env --default-signal=HUP,INT,QUIT,PIPE,TERM -- "$@"
fi
# The shell's own remarks ("Terminated") stay out of the command's stderr.
exec 3>&2 2>/dev/null
(exec "$@" 2>&3 3>&-)
owt_code=$?
# Read only once the outer is gone, so no rename: a file without its newline was cut short and counts as no code.
echo "$owt_code" >"$owt_dir/exit"
exit "$owt_code"
`;
