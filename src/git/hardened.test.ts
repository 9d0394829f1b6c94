/** What an agent can plant so that our own git runs it. The flags stop eight kinds; the three that are left are named here too, so that
 *  nobody believes the flags to be a sandbox. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runGit, type Scratch, scratchRepo } from "../../test/rig/scratch-repo.ts";
import { readRef } from "./branch.ts";
import { bringSubmodules } from "./bring-submodules.ts";
import { fastForwardCheckout } from "./fast-forward.ts";
import { fetchOnce } from "./fetch.ts";
import { git } from "./git.ts";
import { inspectWorktree } from "./inspect.ts";
import { commitLeftovers } from "./leftovers.ts";
import { mergeTrees, startMerge } from "./merge.ts";
import { findPlace } from "./place.ts";
import { removeWorktree } from "./remove.ts";
import { restoreRescue } from "./restore.ts";
import { listWorktrees } from "./list-worktrees.ts";
import { findDirtySubmodules } from "./submodules.ts";
import { createWorktree } from "./worktree.ts";

type Planted = Scratch & { wt: string; evil: string; ran: () => boolean };

async function planted(): Promise<Planted> {
  const at = await scratchRepo();
  const wt = join(at.top, "wt");
  await createWorktree(at.repo, { path: wt, base: (await readRef(at.repo, "main"))!, branch: "task" });
  const evil = join(at.top, "evil.sh");
  writeFileSync(evil, `#!/bin/sh\ntouch "${at.top}/ran"\ncat\nexit 0\n`);
  chmodSync(evil, 0o755);
  runGit(at.top, "clone", "-q", "--bare", at.root, "remote.git");
  runGit(at.root, "remote", "add", "origin", join(at.top, "remote.git"));
  return Object.assign(at, { wt, evil, ran: () => existsSync(join(at.top, "ran")) });
}

const ADMIN = (at: Planted): string => findPlace(at.repo, at.wt)!.gitDir;

const STOPPED: Record<string, (at: Planted) => void> = {
  "core.fsmonitor": (at) => runGit(at.root, "config", "core.fsmonitor", at.evil),
  "an included file": (at) => {
    writeFileSync(join(at.top, "inc"), `[core]\n\tfsmonitor = ${at.evil}\n\thooksPath = ${at.top}\n`);
    runGit(at.root, "config", "include.path", join(at.top, "inc"));
  },
  "the worktree's own configuration": (at) => {
    runGit(at.root, "config", "extensions.worktreeConfig", "true");
    writeFileSync(join(ADMIN(at), "config.worktree"), `[core]\n\tfsmonitor = ${at.evil}\n`);
  },
  "a rewritten .git file": (at) => {
    fakeGitDir(at);
    writeFileSync(join(at.wt, ".git"), `gitdir: ${at.top}/fake.git\n`);
  },
  "a rewritten commondir": (at) => {
    fakeGitDir(at);
    writeFileSync(join(ADMIN(at), "commondir"), `${at.top}/fake.git\n`);
  },
  "a nested repository": (at) => {
    at.write(at.wt, { "nested/x": "x" });
    runGit(join(at.wt, "nested"), "init", "-q");
    runGit(join(at.wt, "nested"), "add", "x");
    runGit(join(at.wt, "nested"), "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "x");
    runGit(join(at.wt, "nested"), "config", "core.fsmonitor", at.evil);
    runGit(at.wt, "add", "nested");
  },
  hooks: (at) => {
    const names = [
      "pre-commit",
      "post-commit",
      "post-index-change",
      "post-checkout",
      "post-merge",
      "pre-merge-commit",
      "commit-msg",
      "reference-transaction",
    ];
    for (const name of [...names, "prepare-commit-msg", "pre-auto-gc"]) {
      at.write(at.repo.commonDir, { [`hooks/${name}`]: readFileSync(at.evil) });
      chmodSync(join(at.repo.commonDir, "hooks", name), 0o755);
    }
  },
  "gpg, editor, ssh, credentials, pager, askpass, upload-pack": (at) => {
    const settings = {
      "gpg.program": "",
      "commit.gpgSign": "true",
      "core.editor": "",
      "core.sshCommand": "",
      "credential.helper": "",
      "core.pager": "",
      "core.askPass": "",
    };
    for (const [key, value] of Object.entries(settings)) runGit(at.root, "config", key, value || at.evil);
    runGit(at.root, "config", "remote.origin.uploadpack", at.evil);
    runGit(at.root, "config", "core.alternateRefsCommand", at.evil);
  },
};

test.each(Object.keys(STOPPED))("no verb of ours runs what was planted by %s", async (name) => {
  await using at = await planted();
  STOPPED[name]!(at);
  await everyVerb(at);
  expect(at.ran()).toBe(false);
});

const LEFT: Record<string, { plant: (at: Planted) => void; run: (at: Planted) => Promise<unknown> }> = {
  "clean and smudge filters": {
    plant: (at) => {
      runGit(at.root, "config", "filter.evil.clean", at.evil);
      at.write(at.wt, { ".gitattributes": "* filter=evil\n" });
    },
    run: (at) => commitLeftovers(at.repo, at.wt, { branch: "task", exclude: [], message: "m" }),
  },
  "merge drivers": {
    plant: (at) => {
      runGit(at.root, "config", "merge.evil.driver", at.evil);
      at.write(at.wt, { ".gitattributes": "* merge=evil\n" });
    },
    run: async (at) => {
      const theirs = at.commit(at.root, { "a.txt": "main\n" });
      runGit(at.wt, "checkout", "-q", "--detach");
      return mergeTrees(at.repo, at.commit(at.wt, { "a.txt": "task\n" }), theirs, at.wt);
    },
  },
  "diff drivers, where a diff is asked for without --no-ext-diff": {
    plant: (at) => {
      runGit(at.root, "config", "diff.evil.command", at.evil);
      at.write(at.wt, { ".gitattributes": "* diff=evil\n", "a.txt": "changed\n" });
    },
    run: (at) => git(findPlace(at.repo, at.wt)!, ["diff"]),
  },
};

test.each(Object.keys(LEFT))("the flags alone do not stop %s: only a sandbox or a tripwire does", async (name) => {
  await using at = await planted();
  LEFT[name]!.plant(at);
  await LEFT[name]!.run(at);
  expect(at.ran()).toBe(true);
});

test("saving a rescue runs no filter: the bytes are kept as they are", async () => {
  await using at = await planted();
  at.write(at.wt, { ".gitattributes": "*.f filter=evil\n", "x.f": "x" });
  runGit(at.root, "config", "filter.evil.clean", at.evil);
  expect(
    await removeWorktree(at.repo, at.wt, { keep: [], save: true, rescue: { id: "r", note: "n", at: 0 } }),
  ).toMatchObject({ removed: true });
  expect(at.ran()).toBe(false);
});

async function everyVerb(at: Planted): Promise<void> {
  const base = (await readRef(at.repo, "main"))!;
  at.write(at.wt, { "new.txt": "new", "a.txt": "task\n" });
  await listWorktrees(at.repo);
  await inspectWorktree(at.repo, at.wt, { keep: ["refs/heads/main"] });
  await commitLeftovers(at.repo, at.wt, { branch: "task", exclude: ["nested"], message: "m" });
  const task = (await readRef(at.repo, "task"))!;
  expect(task).not.toBe(base);
  const theirs = runGit(
    at.root,
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "commit-tree",
    `${base}^{tree}`,
    "-p",
    base,
    "-m",
    "x",
  );
  await mergeTrees(at.repo, task, theirs, at.wt);
  await startMerge(at.repo, at.wt, theirs);
  await commitLeftovers(at.repo, at.wt, { branch: "task", exclude: ["nested"], message: "m" });
  await fetchOnce(at.repo, "origin");
  await fastForwardCheckout(at.repo, "main", base, task);
  const other = join(at.top, "other");
  await createWorktree(at.repo, { path: other, base, branch: "other" });
  at.write(other, { kept: "kept" });
  expect(
    await removeWorktree(at.repo, other, { keep: [], save: true, rescue: { id: "r", note: "n", at: 0 } }),
  ).toMatchObject({ removed: true });
  await restoreRescue(at.repo, "r", { path: other });
}

/** A git directory of the agent's making, with a program in its configuration. */
function fakeGitDir(at: Planted): void {
  runGit(at.top, "clone", "-q", "--bare", at.root, "fake.git");
  runGit(join(at.top, "fake.git"), "config", "core.fsmonitor", at.evil);
  runGit(join(at.top, "fake.git"), "config", "core.hooksPath", at.top);
}

test("nothing that an agent writes into a submodule's own repository is run when it is looked at, saved and brought again", async () => {
  await using at = await planted();
  const allow = ["-c", "protocol.file.allow=always"];
  runGit(at.top, "clone", "-q", at.root, "module");
  runGit(at.wt, ...allow, "submodule", "--quiet", "add", join(at.top, "module"), "sub");
  runGit(at.wt, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "sub");
  const sub = join(at.wt, "sub");
  const settings = {
    "core.fsmonitor": at.evil,
    "core.sshCommand": at.evil,
    "core.alternateRefsCommand": at.evil,
    "gpg.program": at.evil,
    "uploadpack.packObjectsHook": at.evil,
    "remote.origin.uploadpack": at.evil,
    "diff.external": at.evil,
  };
  for (const [key, value] of Object.entries(settings)) runGit(sub, "config", key, value);
  const hooks = join(ADMIN(at), "modules/sub/hooks");
  for (const name of ["post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc"]) {
    at.write(hooks, { [name]: readFileSync(at.evil) });
    chmodSync(join(hooks, name), 0o755);
  }
  at.write(sub, { "a.txt": "changed" });
  const place = findPlace(at.repo, at.wt)!;
  expect(await findDirtySubmodules(place)).toEqual(["sub"]);
  const head = (await readRef(at.repo, "task"))!;
  const moved = await bringSubmodules(at.repo, place, head, { asked: false, present: { from: head } });
  expect(moved).toEqual({ done: [], left: [] });
  const rescue = { id: "r", note: "", at: 0 };
  const neighbour = join(at.top, "wt2");
  const made = await createWorktree(at.repo, { path: neighbour, base: head, branch: "other" });
  if ("refused" in made) throw new Error(made.refused);
  const brought = await bringSubmodules(at.repo, findPlace(at.repo, neighbour)!, head, { asked: true });
  expect(brought.left).toEqual([]);
  expect(await removeWorktree(at.repo, at.wt, { keep: ["refs/heads/task"], save: true, rescue })).toMatchObject({
    removed: true,
    rescue: "refs/owt/rescue/r",
  });
  expect(at.ran()).toBe(false);
});
