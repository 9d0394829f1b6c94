/** One fetch at a time per repository: several at once lose races for `refs/remotes/…` (2 of 54 failed). In this process by a queue, against
 *  other processes by a lock that the kernel frees when its holder dies. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { OwtError } from "../core/errors.ts";
import { exec } from "../system/exec.ts";
import { type LockTry, prepareLock } from "../system/lock.ts";
import { cleanEnv, fieldsOf, git, gitFlags, type Place, placeEnv } from "./git.ts";
import type { Repo } from "./repo.ts";

/** A remote that cannot be reached is an answer: the run goes on with what is there. */
export type Fetched = { fetched: true } | { fetched: false; said: string };

export type FetchOptions = {
  /** Also use ssh command and credential helpers that the repository's own configuration names. Only when agents cannot write there. */
  trustRepository?: boolean;
  /** Forget remote branches that are gone there. */
  prune?: boolean;
  signal?: AbortSignal;
};

type Queue = { tail: Promise<unknown>; waiting: Map<string, Promise<Fetched>>; lock: LockTry | null };
const queues = new Map<string, Queue>();
const LOCK_POLL_MS = 100;

/** Fetches from a remote what is configured for it. A call that comes while another for the same remote still waits shares it. */
export function fetchOnce(repo: Repo, remote: string, options: FetchOptions = {}): Promise<Fetched> {
  return fetchRefs(repo, remote, [], options);
}

/** Fetches these refs from a remote (`+from:to`); without any, what is configured for it. */
export function fetchRefs(
  repo: Repo,
  remote: string,
  refs: readonly string[],
  options: FetchOptions = {},
): Promise<Fetched> {
  if (!/^[A-Za-z0-9_][\w./-]*$/.test(remote))
    throw new OwtError("usage", `not a remote's name: ${JSON.stringify(remote)}`);
  const queue = queueOf(repo);
  const key = [remote, ...refs].join(" ");
  const waiting = queue.waiting.get(key);
  if (waiting !== undefined) return waiting;
  const fetched = queue.tail.then(async () => {
    const release = await takeLock(repo, queue, options.signal);
    queue.waiting.delete(key);
    try {
      return await fetchNow(repo, remote, refs, options);
    } finally {
      release();
    }
  });
  queue.waiting.set(key, fetched);
  queue.tail = fetched.catch(() => queue.waiting.delete(key));
  return fetched;
}

const FETCH = ["fetch", "--quiet", "--no-recurse-submodules", "--no-auto-maintenance", "--no-write-fetch-head"];

async function fetchNow(repo: Repo, remote: string, refs: readonly string[], options: FetchOptions): Promise<Fetched> {
  const args = [...FETCH];
  // A remote can name a program of its own for this.
  if (options.trustRepository !== true) args.push("--upload-pack=git-upload-pack");
  if (options.prune === true) args.push("--prune");
  const settings = options.trustRepository === true ? [] : await readOwnSettings(repo);
  // Only its log tells later what a ref of ours dropped; git keeps none of refs that it does not know.
  const logs = refs.length === 0 ? [] : ["-c", "core.logAllRefUpdates=always"];
  return askRemote(repo, [...logs, ...args, "--", remote, ...refs], {
    env: asConfigEnv(settings),
    signal: options.signal,
  });
}

/** Fetches into a submodule, whose remote nobody chose on the command line: what git refuses such a one (`file`, and what only a person may
 *  ask for; CVE-2022-39253) is refused, unless the user's own configuration allows it. A server that says nothing is not waited for. */
export async function fetchSubmodule(
  module: Place,
  remote: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<Fetched> {
  const settings = await readOwnSettings(module);
  settings.push(["http.lowSpeedLimit", "1"], ["http.lowSpeedTime", "60"]);
  const env = { ...asConfigEnv(settings), GIT_PROTOCOL_FROM_USER: "0" };
  const options = args.filter((word) => word.startsWith("--"));
  const refs = args.filter((word) => !word.startsWith("--"));
  return askRemote(module, [...FETCH, "--upload-pack=git-upload-pack", ...options, "--", remote, ...refs], {
    env,
    signal,
  });
}

async function askRemote(
  place: Place,
  args: readonly string[],
  { env, signal }: { env: Record<string, string>; signal: AbortSignal | undefined },
): Promise<Fetched> {
  const flags = gitFlags(false, ["core.sshCommand", "core.askPass", "credential.helper"]);
  const out = await exec("git", [...flags, ...args], {
    cwd: place.root,
    env: { ...placeEnv(place), ...userNetwork(), ...env },
    ok: [0, 1, 128],
    ...(signal === undefined ? {} : { signal }),
  });
  return out.code === 0 ? { fetched: true } : { fetched: false, said: out.stderr.trim() };
}

/** How the user reaches remotes, from configuration that no agent writes: the repository's own entries are replaced by it. */
async function readOwnSettings(place: Place): Promise<[string, string][]> {
  const settings: [string, string][] = [
    ["core.sshCommand", "ssh"],
    ["core.askPass", ""],
    ["credential.helper", ""],
  ];
  for (const scope of ["--system", "--global"]) {
    const args = ["config", scope, "-z", "--get-regexp", "^(core\\.(sshcommand|askpass)|credential\\..*)$"];
    const { stdout } = await git(place, args, { ok: [0, 1, 128] });
    for (const field of fieldsOf(stdout)) {
      const end = field.indexOf("\n");
      if (end !== -1) settings.push([field.slice(0, end), field.slice(end + 1)]);
    }
  }
  return settings;
}

function asConfigEnv(settings: readonly [string, string][]): Record<string, string> {
  const env: Record<string, string> = { GIT_CONFIG_COUNT: String(settings.length) };
  for (const [at, [key, value]] of settings.entries()) {
    env[`GIT_CONFIG_KEY_${at}`] = key;
    env[`GIT_CONFIG_VALUE_${at}`] = value;
  }
  return env;
}

/** The variables by which the user tells git how to reach the network. */
function userNetwork(): Record<string, string> {
  const env = cleanEnv((name) => /^GIT_(SSL_|SSH|HTTP_|ASKPASS$|PROXY|ALLOW_PROTOCOL$)/.test(name));
  return Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith("GIT_")));
}

function queueOf(repo: Repo): Queue {
  const queue = queues.get(repo.commonDir) ?? { tail: Promise.resolve(), waiting: new Map(), lock: null };
  queues.set(repo.commonDir, queue);
  return queue;
}

/** Waits for the lock and gives back what frees it. The file is open once per process: closing a second handle would drop the lock. */
async function takeLock(repo: Repo, queue: Queue, signal: AbortSignal | undefined): Promise<() => void> {
  await mkdir(join(repo.commonDir, "owt"), { recursive: true });
  const lock = (queue.lock ??= prepareLock(join(repo.commonDir, "owt", "fetch.lock")));
  while (!lock.take()) await wait(LOCK_POLL_MS, undefined, signal === undefined ? {} : { signal });
  return () => {
    lock.close();
    queue.lock = null;
  };
}
