/** The environment that agents, setup and verify commands get: an allow-list, never ours as it stands.
 *  `npm run` alone puts 34 variables and our own `node_modules/.bin` into every child; a user's tests must run on the user's Node. */
import { delimiter, dirname, sep } from "node:path";

const ALLOWED = new Set([
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "LANG",
  "LANGUAGE",
  "TZ",
  "TERM",
  "COLORTERM",
  "TMPDIR",
  "TEMP",
  "TMP",
  "SSH_AUTH_SOCK",
  "SSH_AGENT_PID",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "ALL_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "all_proxy",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "NODE_EXTRA_CA_CERTS",
  "REQUESTS_CA_BUNDLE",
  "CURL_CA_BUNDLE",
  "JAVA_HOME",
  "GOPATH",
  "GOROOT",
  "GOPROXY",
  "CARGO_HOME",
  "RUSTUP_HOME",
  "NVM_DIR",
  "PYENV_ROOT",
  "VOLTA_HOME",
  "BUN_INSTALL",
  "PNPM_HOME",
  "DOCKER_HOST",
  "IS_SANDBOX",
]);
const ALLOWED_PREFIXES = ["LC_", "XDG_"];

/** What a command of the user's project gets. `pass` are names that the configuration adds. */
export function commandEnvironment(env: NodeJS.ProcessEnv, pass: readonly string[]): Record<string, string> {
  return pick(
    env,
    (name) => ALLOWED.has(name) || pass.includes(name) || ALLOWED_PREFIXES.some((prefix) => name.startsWith(prefix)),
  );
}

/** Names of the environments that somebody has active in their shell: an install into a worktree must not go there. */
const ACTIVE = new Set([
  "VIRTUAL_ENV",
  "VIRTUAL_ENV_PROMPT",
  "PYTHONHOME",
  "PYTHONPATH",
  "CONDA_PREFIX",
  "CONDA_DEFAULT_ENV",
  "PIPENV_ACTIVE",
  "POETRY_ACTIVE",
  "UV_PROJECT_ENVIRONMENT",
]);

/** What a standard install gets: the same without the environments that are active here, also where `pass` names them. */
export function installEnvironment(env: NodeJS.ProcessEnv, pass: readonly string[]): Record<string, string> {
  const picked = commandEnvironment(
    env,
    pass.filter((name) => !ACTIVE.has(name)),
  );
  const active = [env["VIRTUAL_ENV"], env["CONDA_PREFIX"]].flatMap((home) =>
    home ? [`${home.replace(/\/+$/, "")}/bin`] : [],
  );
  if (picked["PATH"] !== undefined && active.length > 0)
    picked["PATH"] = picked["PATH"]
      .split(delimiter)
      .filter((folder) => !active.includes(folder.replace(/\/+$/, "")))
      .join(delimiter);
  return picked;
}

/** What an agent gets: that of a command, and `variables` of its own login and settings; a * at the end of one stands for any rest. */
export function agentEnvironment(
  env: NodeJS.ProcessEnv,
  pass: readonly string[],
  variables: readonly string[],
): Record<string, string> {
  const isMeant = isAnyOf(variables);
  return { ...commandEnvironment(env, pass), ...pick(env, isMeant) };
}

/** What a person's own terminals get: everything, but for what `npm run`, a hook of git's, and an agent's session that surrounds us have put there. `variables` are
 *  the agents' own settings, which stay. */
export function terminalEnvironment(env: NodeJS.ProcessEnv, variables: readonly string[]): Record<string, string> {
  const isSetting = isAnyOf(variables);
  const isForeign = (name: string) =>
    /^npm_|^INIT_CWD$/.test(name) ||
    /^GIT_(DIR|WORK_TREE|COMMON_DIR|INDEX_FILE|PREFIX|OBJECT_DIRECTORY|NAMESPACE|EXEC_PATH)$/.test(name) ||
    /^OWT_(ATTEMPT|RUN|TASK|SPOOL)$/.test(name) ||
    (/^CLAUDE_?CODE|^CODEX_/.test(name) && !isSetting(name));
  return pick(env, (name) => !isForeign(name));
}

function isAnyOf(variables: readonly string[]): (name: string) => boolean {
  return (name) => variables.some((each) => (each.endsWith("*") ? name.startsWith(each.slice(0, -1)) : name === each));
}

function pick(env: NodeJS.ProcessEnv, wanted: (name: string) => boolean): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined && wanted(name)) picked[name] = value;
  if (picked["PATH"] !== undefined) picked["PATH"] = withoutOurTools(picked["PATH"]);
  return picked;
}

/** Leaves out what `npm run` puts in front: the folder of the Node that runs us, when that is a package, and the
 *  `node_modules/.bin` of our package and of every folder above it. */
function withoutOurTools(path: string): string {
  const ours = dirname(process.execPath);
  const [root] = ours.split(`${sep}node_modules${sep}`, 1);
  if (root === undefined || root === ours) return path;
  const isOurs = (folder: string) => {
    if (folder === ours || folder.endsWith("node-gyp-bin")) return true;
    const owner = folder.endsWith(BIN) ? folder.slice(0, -BIN.length) : null;
    return owner !== null && (root === owner || root.startsWith(`${owner}${sep}`));
  };
  return path
    .split(delimiter)
    .filter((folder) => !isOurs(folder))
    .join(delimiter);
}

const BIN = `${sep}node_modules${sep}.bin`;
