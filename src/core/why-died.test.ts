import { expect, test } from "vitest";
import { whyDied } from "./why-died.ts";

const NODE = `/srv/agent.js:3
  throw new TypeError("no such model: opus-9");
  ^

TypeError: no such model: opus-9
    at start (/srv/agent.js:3:9)
    at Object.<anonymous> (/srv/agent.js:6:1)
    at Module._compile (node:internal/modules/cjs/loader:1730:14) {
  code: 'E_MODEL',
  [cause]: Error: 404
      at fetch (/srv/agent.js:2:1)
}

Node.js v24.11.0
`;

const MISSING = `node:internal/modules/cjs/loader:1423
  throw err;
  ^

Error: Cannot find module '/srv/agent.js'
    at Module._resolveFilename (node:internal/modules/cjs/loader:1420:15)
    at defaultResolveImpl (node:internal/modules/cjs/loader:1058:19) {
  code: 'MODULE_NOT_FOUND',
  requireStack: []
}

Node.js v24.11.0`;

const PYTHON = `Traceback (most recent call last):
  File "/work/net.py", line 9, in get
    raise OSError("unreachable")
OSError: unreachable

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/work/agent.py", line 4, in <module>
    main()
    ~~~~^^
  File "/work/agent.py", line 2, in main
    raise agent.ConfigError("no key in /etc/agent.toml")
agent.ConfigError: no key in /etc/agent.toml
`;

const RUST = `
thread 'main' (4711) panicked at src/main.rs:12:9:
index out of bounds: the len is 3 but the index is 99
note: run with \`RUST_BACKTRACE=1\` environment variable to display a backtrace
`;

const GO = `2026/11/22 03:00:00 listening
panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.main()
	/work/main.go:8 +0x1d
exit status 2
`;

const NPM = `npm error code ENOENT
npm error syscall open
npm error path /work/package.json
npm error errno -2
npm error enoent Could not read package.json: Error: ENOENT: no such file or directory, open '/work/package.json'
npm error enoent This is related to npm not being able to find a file.
npm error enoent
npm error A complete log of this run can be found in: /home/me/.npm/_logs/2026-debug-0.log
`;

const CLAP = `error: unexpected argument '--modle' found

  tip: a similar argument exists: '--model'

Usage: codex exec --model <MODEL> [PROMPT]

For more information, try '--help'.
`;

const WARNINGS = `npm warn deprecated inflight@1.0.6: This module is not supported
(node:12) [DEP0040] DeprecationWarning: The \`punycode\` module is deprecated.
(Use \`node --trace-deprecation ...\` to show where the warning was created)
`;

test.each([
  ["an exception of Node", NODE, "TypeError: no such model: opus-9"],
  ["a program that Node does not find", MISSING, "Error: Cannot find module '/srv/agent.js'"],
  [
    "a word that was thrown",
    "/work/a.js:1\nthrow 'enough'\n^\nenough\n(Use `node --trace-uncaught ...` to show where the exception was thrown)\n\nNode.js v24.11.0\n",
    "enough",
  ],
  ["an exception of Python, behind another one", PYTHON, "agent.ConfigError: no key in /etc/agent.toml"],
  [
    "a file that Python cannot read",
    '  File "/work/agent.py", line 1\n    def main(:\n             ^\nSyntaxError: invalid syntax\n',
    "SyntaxError: invalid syntax",
  ],
  [
    "a program that is not there (bash)",
    "bash: line 1: agnet: command not found\n",
    "bash: line 1: agnet: command not found",
  ],
  ["a program that is not there (sh)", "starting\nsh: 1: agnet: not found\n", "sh: 1: agnet: not found"],
  [
    "a panic of Rust",
    RUST,
    "thread 'main' (4711) panicked at src/main.rs:12:9: index out of bounds: the len is 3 but the index is 99",
  ],
  [
    "a panic of an older Rust",
    "thread 'main' panicked at 'no home', src/main.rs:2:5\nnote: run with `RUST_BACKTRACE=1`\n",
    "thread 'main' panicked at 'no home', src/main.rs:2:5",
  ],
  ["a panic of Go", GO, "panic: runtime error: index out of range [5] with length 3"],
  [
    "npm without a file",
    NPM,
    "npm error enoent Could not read package.json: Error: ENOENT: no such file or directory, open '/work/package.json'",
  ],
  [
    "npm without a script",
    'npm error Missing script: "agent"\nnpm error\nnpm error To see a list of scripts, run:\nnpm error   npm run\nnpm error A complete log of this run can be found in: /x.log\n',
    'npm error Missing script: "agent"',
  ],
  ["an option that is none", CLAP, "error: unexpected argument '--modle' found"],
  [
    "an option that is none (Python)",
    "usage: agent.py [-h]\nagent.py: error: unrecognized arguments: --modle\n",
    "agent.py: error: unrecognized arguments: --modle",
  ],
  ["Claude Code", "Error: Session ID 1-2 is already in use.\n", "Error: Session ID 1-2 is already in use."],
  [
    "Codex, with what caused it",
    "Error: thread/resume failed: no rollout found for thread id\n\nCaused by:\n    0: rollout not found\n",
    "Error: thread/resume failed: no rollout found for thread id",
  ],
  [
    "git",
    "hint: wait\nfatal: not a git repository (or any of the parent directories): .git\n",
    "fatal: not a git repository (or any of the parent directories): .git",
  ],
  ["warnings before what says why", `${WARNINGS}could not reach the model\n`, "could not reach the model"],
  ["nothing but warnings", WARNINGS, ""],
  ["the shell's word of a crash", "Segmentation fault (core dumped)\n", "Segmentation fault (core dumped)"],
  ["nothing, as of a crash", "", ""],
  ["blank lines", "\n  \n", ""],
  ["colours", "\u001B[31m\u001B[1merror\u001B[0m: \u001B[1mno login\u001B[0m\n", "error: no login"],
  ["a bar of progress", "10%\r50%\rerror: the line was cut\n", "error: the line was cut"],
  ["line ends of Windows", "error: no login\r\n", "error: no login"],
  ["a secret", "Error: 401 for key sk-ant-api03-abcdefghij\n", "Error: 401 for key (hidden)"],
  [
    "errors that were got over before",
    "error: try 1\nerror: try 2\nerror: gave up: refused\n",
    "error: gave up: refused",
  ],
])("%s", (_, stderr, line) => {
  expect(whyDied(stderr)).toBe(line);
});

test("a very long line is cut", () => {
  const line = whyDied(`Error: ${"x".repeat(1_000_000)}\n`);
  expect(line).toMatch(/^Error: x+…$/);
  expect(line).toHaveLength(300);
});
