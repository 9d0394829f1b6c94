/** Starts launch wrappers through long-lived shells, one for each that runs. Node forks itself for every program it starts, which blocks
 *  its main thread for 1 ms at 54 MB of memory and for 28 at 1 GB; a shell forks in a fraction of that, and each serves one wrapper after
 *  the other. A shell outlives us only as long as its wrapper does. */
import { MARK } from "./claim.ts";
import { INNER_SCRIPT, OUTER_SCRIPT } from "./launch-script.ts";
import { LiveProcess } from "./live-process.ts";
import { areLines, environmentChanges, findSetsid, isHandedOn } from "./shell-words.ts";

/** Requests: folder, the files of standard input, output and error, a count, and so many words: `NAME=value` is set and `NAME` unset, up
 *  to `--`; then the outer script's mode, folder, parent, and the command. Answers: the wrapper's pid, and at its end its code.
 *  Nothing is parsed. The shell's own variables have names that nobody exports. */
export const LAUNCH_PROGRAM = `
owt_outer=$1 owt_inner=$2 owt_setsid=$3
while IFS= read -r owt_folder && IFS= read -r owt_in && IFS= read -r owt_out && IFS= read -r owt_err && IFS= read -r owt_count; do
  set --
  while [ "$owt_count" -gt 0 ]; do
    # Whoever asked is gone: half a request is none.
    IFS= read -r owt_word || exit
    set -- "$@" "$owt_word"
    owt_count=$((owt_count - 1))
  done
  (
    # A subshell's $$ is the shell's.
    read -r owt_pid owt_rest </proc/self/stat
    # Nobody may be left to hear it; the command begins all the same.
    trap '' PIPE
    echo "$owt_pid"
    trap - PIPE
    if ! cd -- "$owt_folder" 2>/dev/null; then
      echo "owt: could not start in $owt_folder" >>"$owt_err"
      exit 126
    fi
    # cd has set and exported them.
    unset PWD OLDPWD
    while [ "$1" != -- ]; do
      case $1 in
        *=*) export "$1" ;;
        *) unset "$1" ;;
      esac
      shift
    done
    owt_mode=$2 owt_dir=$3 owt_parent=$4
    shift 4
    set -- "$owt_mode" "$owt_dir" "$owt_inner" "$owt_parent" "$@"
    exec <"$owt_in" >>"$owt_out" 2>>"$owt_err"
    case $owt_mode in
      # The kernel ends these trees, and nothing of ours signals a group in them: no session of its own is needed, nor another shell.
      namespace | user-namespace) eval "$owt_outer" ;;
      *) exec "$owt_setsid" /bin/sh -c "$owt_outer" owt-outer "$@" ;;
    esac
  )
  echo "$?"
done
`;

export type WrapperStart = {
  mode: string;
  /** The attempt's folder. */
  dir: string;
  /** The cgroup below which the wrapper may make its own; empty in the other modes. */
  parent: string;
  command: readonly string[];
  cwd: string;
  /** The wrapper's whole environment. */
  env: Record<string, string>;
  /** These exist, and can be opened. */
  inFile: string;
  outFile: string;
  errFile: string;
};

/** A wrapper on its way. Both resolve always, and keep nobody alive; pid 0 is one that the shell could not fork. */
export type StartedWrapper = { pid: Promise<number>; exited: Promise<void> };

type Shell = { process: LiveProcess; env: Record<string, string> };

const idle: Shell[] = [];

/** Starts a wrapper in a session of its own; null where that needs a spawn: a system without `setsid`, a word that no line can carry, or
 *  a variable that a shell would not hand on as it is. */
export function startThroughShell(wrapper: WrapperStart): StartedWrapper | null {
  const setsid = findSetsid();
  if (setsid === null || !travels(wrapper)) return null;
  const shell = idle.pop() ?? startShell(setsid, wrapper.env);
  let tellPid: (pid: number) => void = () => {};
  const pid = new Promise<number>((resolve) => (tellPid = resolve));
  const ended = shell.process.request(render(wrapper, shell.env), (bytes) => {
    const [first, second] = bytes.toString("latin1").split("\n", 3);
    if (bytes.includes(10)) tellPid(Number(first));
    return bytes.indexOf(10) !== bytes.lastIndexOf(10) ? { answer: second } : null;
  });
  const exited = ended.then(
    () => void idle.push(shell),
    // A shell that was killed has nothing to say of its wrapper; the claim has.
    () => tellPid(0),
  );
  return { pid, exited };
}

function render({ cwd, inFile, outFile, errFile, env, mode, dir, parent, command }: WrapperStart, had: Shell["env"]) {
  const words = [...environmentChanges(had, env), "--", mode, dir, parent, ...command];
  return `${[cwd, inFile, outFile, errFile, words.length, ...words].join("\n")}\n`;
}

/** It has the environment of its first wrapper, so that the next ones need only be told what differs; but for the mark, by which the
 *  processes of an attempt are found and ended. */
function startShell(setsid: string, first: Record<string, string>): Shell {
  const env = Object.fromEntries(Object.entries(first).filter(([name]) => name !== MARK));
  const args = ["-c", LAUNCH_PROGRAM, "owt-launch", OUTER_SCRIPT, INNER_SCRIPT, setsid];
  const options = { file: "/bin/sh", args, cwd: "/", env, startsOthers: true };
  return { process: new LiveProcess("a launch shell", () => options, false), env };
}

function travels({ cwd, inFile, outFile, errFile, env, dir, parent, command }: WrapperStart): boolean {
  const words = [cwd, inFile, outFile, errFile, dir, parent, ...command, ...Object.values(env)];
  return Object.keys(env).every(isHandedOn) && areLines(words);
}
