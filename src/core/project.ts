/** Which kinds of project a folder holds, told by its lockfiles and manifests, and how each installs its dependencies. Pure. */

/** What a folder holds, as far as it is looked into: the text of one of its files, or null. */
export type ReadFile = (name: string) => string | null;

export type Language = "python" | "node" | "php" | "ruby" | "go" | "rust";

/** `lockfile` is what the project is told by: its lockfile, or the manifest of one without. */
export type Install = { kind: string; lockfile: string; command: string };

/** `isLocked`: a file says exactly what belongs there. `program` is what has to be installed. */
export type FoundInstall = Install & { language: Language; program: string; isLocked: boolean };

type Rule = { language: Language; kind: string; program?: string; file: string; command: string };

/** A lockfile says exactly what belongs there. Order within a language: the more specific first. */
const LOCKED: readonly Rule[] = [
  { language: "python", kind: "uv", file: "uv.lock", command: "uv sync --frozen" },
  { language: "python", kind: "poetry", file: "poetry.lock", command: "poetry install --no-interaction" },
  { language: "python", kind: "pipenv", file: "Pipfile.lock", command: "pipenv sync" },
  { language: "node", kind: "bun", file: "bun.lock", command: "bun install --frozen-lockfile" },
  { language: "node", kind: "bun", file: "bun.lockb", command: "bun install --frozen-lockfile" },
  { language: "node", kind: "pnpm", file: "pnpm-lock.yaml", command: "pnpm install --frozen-lockfile" },
  { language: "node", kind: "yarn", file: "yarn.lock", command: "yarn install --frozen-lockfile" },
  { language: "node", kind: "npm", file: "package-lock.json", command: "npm ci --no-audit --no-fund" },
  { language: "node", kind: "npm", file: "npm-shrinkwrap.json", command: "npm ci --no-audit --no-fund" },
  { language: "php", kind: "composer", file: "composer.lock", command: "composer install --no-interaction" },
  { language: "ruby", kind: "bundler", program: "bundle", file: "Gemfile.lock", command: "bundle install" },
  { language: "go", kind: "go", file: "go.sum", command: "go mod download" },
  { language: "rust", kind: "cargo", file: "Cargo.lock", command: "cargo fetch --locked" },
];

/** Nobody's own tools are touched: what pip installs goes into the worktree, where git does not see it. */
const PIP =
  "python3 -m venv .venv && printf '*\\n' > .venv/.gitignore && .venv/bin/python -m pip install --disable-pip-version-check";

/** What a build of an editable package notes beside its sources, in a file of nobody's: the environment has it too. */
const WITHOUT_BOOKS = "find . -maxdepth 2 -name '*.egg-info' -newer .venv/pyvenv.cfg -exec rm -r {} +";

/** Cargo writes a lockfile with whatever it does, which would be a new file of nobody's. */
const FETCH = "test -e Cargo.lock && exec cargo fetch; cargo fetch; made=$?; rm -f Cargo.lock; exit $made";

/** What a manifest without a lockfile asks for, and how it is installed without writing a lockfile where that can be said. */
const UNLOCKED: readonly (Rule & { when?: (read: ReadFile) => boolean })[] = [
  { language: "python", kind: "pipenv", file: "Pipfile", command: "pipenv install --skip-lock" },
  { language: "python", kind: "uv", file: "pyproject.toml", command: "uv sync", when: hasTable("uv") },
  {
    language: "python",
    kind: "poetry",
    file: "pyproject.toml",
    command: "poetry install --no-interaction",
    when: hasTable("poetry"),
  },
  {
    language: "python",
    kind: "pip",
    program: "python3",
    file: "requirements.txt",
    command: `${PIP} --requirement requirements.txt`,
  },
  {
    language: "python",
    kind: "pip",
    program: "python3",
    file: "pyproject.toml",
    command: `${PIP} --editable . && ${WITHOUT_BOOKS}`,
    when: (read) => PYTHON_ASKS.test(read("pyproject.toml") ?? ""),
  },
  { language: "node", kind: "bun", file: "package.json", command: "bun install --no-save", when: asksFor("bun") },
  {
    language: "node",
    kind: "pnpm",
    file: "package.json",
    command: "pnpm install --no-lockfile",
    when: asksFor("pnpm"),
  },
  { language: "node", kind: "yarn", file: "package.json", command: "yarn install", when: asksFor("yarn") },
  {
    language: "node",
    kind: "npm",
    file: "package.json",
    command: "npm install --no-audit --no-fund --no-package-lock",
    when: asksFor("npm"),
  },
  {
    language: "php",
    kind: "composer",
    file: "composer.json",
    command: "composer install --no-interaction",
    when: (read) => Object.keys(tableIn(read("composer.json"), "require")).length > 0,
  },
  { language: "ruby", kind: "bundler", program: "bundle", file: "Gemfile", command: "bundle install" },
  {
    language: "go",
    kind: "go",
    file: "go.mod",
    command: "go mod download",
    when: (read) => /^\s*require\b/m.test(read("go.mod") ?? ""),
  },
  {
    language: "rust",
    kind: "cargo",
    file: "Cargo.toml",
    command: FETCH,
    when: (read) => RUST_ASKS.test(read("Cargo.toml") ?? ""),
  },
];

/** `dependencies` of `[project]`, with something in it. */
const PYTHON_ASKS =
  /^[ \t]*\[project\][^\n]*\n(?:(?![ \t]*\[)[^\n]*\n)*?[ \t]*dependencies[ \t]*=[ \t]*\[(?:\s|#.*)*["']/m;

/** A table of dependencies with something in it, one of a single dependency, or the members of a workspace. */
const RUST_ASKS =
  /^\s*\[(?:[^\]\n]*\.)?(?:dev-|build-)?dependencies(?:\.[^\]\n]+\]|\](?:\s|#.*)*[\w"'-])|^\s*\[workspace\]/m;

/** The files whose text is looked into; all others are told by their name. */
export const MANIFESTS: ReadonlySet<string> = new Set([
  "package.json",
  "pyproject.toml",
  "composer.json",
  "go.mod",
  "Cargo.toml",
]);

/** Every file that something is told by. */
const TELLING = new Set([...LOCKED, ...UNLOCKED].map(({ file }) => file).concat("pnpm-workspace.yaml", ...MANIFESTS));

/** Whether a file of this name says anything about installs. */
export function isTelling(name: string): boolean {
  return TELLING.has(name);
}

/** The standard installs for a folder with these file names; at most one per language. Without `read` only lockfiles count. */
export function detectInstalls(names: ReadonlySet<string>, read: ReadFile = () => null): FoundInstall[] {
  const found = new Map<Language, FoundInstall>();
  const add = ({ language, kind, program = kind, file, command }: Rule, isLocked: boolean) => {
    if (names.has(file) && !found.has(language))
      found.set(language, { language, kind, program, lockfile: file, command, isLocked });
  };
  for (const rule of LOCKED) add(rule, true);
  for (const rule of UNLOCKED)
    if (names.has(rule.file) && (rule.when?.(read) ?? read(rule.file) !== null)) add(rule, false);
  return [...found.values()];
}

/** What people are told of an install. */
export function describeInstall({ kind, lockfile, command }: FoundInstall): Install {
  return { kind, lockfile, command };
}

/** How a program that is missing is installed, by its name. */
export const HOW_TO_GET: Record<string, string> = {
  uv: "curl -LsSf https://astral.sh/uv/install.sh | sh",
  poetry: "pipx install poetry",
  pipenv: "pipx install pipenv",
  python3: "https://www.python.org/downloads/",
  npm: "https://nodejs.org/en/download",
  pnpm: "npm install --global pnpm",
  yarn: "npm install --global yarn",
  bun: "npm install --global bun",
  composer: "https://getcomposer.org/download/",
  bundle: "gem install bundler",
  go: "https://go.dev/dl/",
  cargo: "https://rustup.rs",
};

function hasTable(tool: string): (read: ReadFile) => boolean {
  return (read) => new RegExp(`^\\s*\\[tool\\.${tool}[.\\]]`, "m").test(read("pyproject.toml") ?? "");
}

/** Whether a package.json wants anything, and by this package manager: the one that its `packageManager` names, else npm. */
function asksFor(manager: string): (read: ReadFile) => boolean {
  return (read) => {
    const text = read("package.json");
    const wants = ["dependencies", "devDependencies", "optionalDependencies", "workspaces"];
    if (!wants.some((key) => Object.keys(tableIn(text, key)).length > 0)) return false;
    const named = /^(npm|pnpm|yarn|bun)@/.exec(textIn(text, "packageManager"))?.[1];
    return (named ?? "npm") === manager;
  };
}

/** How this project is checked, told by what it defines itself: its test script, its test configuration. Nothing is taken for granted, so a
 *  project without tests has no checks. At most one tool per language; a task runner counts where nothing else was found. */
export function detectChecks(names: ReadonlySet<string>, read: ReadFile): string[] {
  const found = [
    ...nodeChecks(names, read),
    ...pythonChecks(names, read),
    ...(names.has("Cargo.toml") ? ["cargo test"] : []),
    ...(names.has("go.mod") ? ["go test ./..."] : []),
    ...phpChecks(names, read),
    ...(names.has("Gemfile.lock") && names.has(".rspec") ? ["bundle exec rspec"] : []),
    ...(names.has("mix.exs") ? ["mix test"] : []),
    ...javaChecks(names),
  ];
  return found.length > 0 ? found : runnerChecks(read);
}

/** What `npm init` writes as the test of a project without any. */
const NO_TEST = /no test specified/;

/** Scripts that look at the work, the quick ones first. Those that change it or serve it are no checks. */
const NODE_SCRIPTS = ["typecheck", "type-check", "check-types", "lint", "test"];

function nodeChecks(names: ReadonlySet<string>, read: ReadFile): string[] {
  const scripts = tableIn(read("package.json"), "scripts");
  const runner = detectInstalls(names).find(({ kind }) => NODE_RUNNERS.has(kind))?.kind ?? "npm";
  return NODE_SCRIPTS.filter((name) => typeof scripts[name] === "string" && !NO_TEST.test(scripts[name])).map((name) =>
    name === "test" && runner !== "bun" ? `${runner} test` : `${runner} run ${name}`,
  );
}

const NODE_RUNNERS = new Set(["bun", "pnpm", "yarn", "npm"]);

function pythonChecks(names: ReadonlySet<string>, read: ReadFile): string[] {
  const usesPytest =
    names.has("pytest.ini") ||
    names.has("conftest.py") ||
    /^\s*\[tool\.pytest/m.test(read("pyproject.toml") ?? "") ||
    /^\s*\[tool:pytest\]/m.test(read("setup.cfg") ?? "") ||
    /^\s*\[pytest\]/m.test(read("tox.ini") ?? "") ||
    ["pyproject.toml", "requirements.txt", "requirements-dev.txt", "Pipfile"].some((name) =>
      /^[^#\n]*(?<![\w-])pytest(?![\w-])/m.test(read(name) ?? ""),
    );
  if (!usesPytest) return [];
  const runner = detectInstalls(names).find(({ kind }) => PYTHON_RUNNERS.has(kind))?.kind;
  return [runner === undefined ? "pytest" : `${runner} run pytest`];
}

const PYTHON_RUNNERS = new Set(["uv", "poetry", "pipenv"]);

function phpChecks(names: ReadonlySet<string>, read: ReadFile): string[] {
  if ("test" in tableIn(read("composer.json"), "scripts")) return ["composer test"];
  return names.has("phpunit.xml") || names.has("phpunit.xml.dist") ? ["vendor/bin/phpunit"] : [];
}

function javaChecks(names: ReadonlySet<string>): string[] {
  if (names.has("pom.xml")) return [names.has("mvnw") ? "./mvnw -q test" : "mvn -q test"];
  if (names.has("gradlew")) return ["./gradlew test"];
  return names.has("build.gradle") || names.has("build.gradle.kts") ? ["gradle test"] : [];
}

function runnerChecks(read: ReadFile): string[] {
  const target = (text: string | null) =>
    ["test", "check"].find((name) => new RegExp(`^${name}\\b[^:=\\n]*:(?!=)`, "m").test(text ?? ""));
  const make = target(read("Makefile"));
  if (make !== undefined) return [`make ${make}`];
  const just = target(read("justfile"));
  return just === undefined ? [] : [`just ${just}`];
}

/** A table of a JSON file; empty where there is none. A list counts as a table of its places. */
export function tableIn(text: string | null, key: string): Record<string, unknown> {
  const value = valueIn(text, key);
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function textIn(text: string | null, key: string): string {
  const value = valueIn(text, key);
  return typeof value === "string" ? value : "";
}

function valueIn(text: string | null, key: string): unknown {
  try {
    return (JSON.parse(text ?? "{}") as Record<string, unknown> | null)?.[key];
  } catch {
    return undefined;
  }
}
