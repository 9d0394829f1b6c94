/** Which kinds of project a folder holds, told by its lockfiles, and how each installs its dependencies. Pure. */

export type Install = { kind: string; lockfile: string; command: string };

/** A lockfile says exactly what belongs there, so installing by it needs no approval. Order within a language: the more specific first. */
const INSTALLS: readonly (Install & { language: string })[] = [
  { language: "python", kind: "uv", lockfile: "uv.lock", command: "uv sync --frozen" },
  { language: "python", kind: "poetry", lockfile: "poetry.lock", command: "poetry install --no-interaction" },
  { language: "python", kind: "pipenv", lockfile: "Pipfile.lock", command: "pipenv sync" },
  { language: "node", kind: "bun", lockfile: "bun.lock", command: "bun install --frozen-lockfile" },
  { language: "node", kind: "bun", lockfile: "bun.lockb", command: "bun install --frozen-lockfile" },
  { language: "node", kind: "pnpm", lockfile: "pnpm-lock.yaml", command: "pnpm install --frozen-lockfile" },
  { language: "node", kind: "yarn", lockfile: "yarn.lock", command: "yarn install --frozen-lockfile" },
  { language: "node", kind: "npm", lockfile: "package-lock.json", command: "npm ci --no-audit --no-fund" },
  { language: "php", kind: "composer", lockfile: "composer.lock", command: "composer install --no-interaction" },
  { language: "ruby", kind: "bundler", lockfile: "Gemfile.lock", command: "bundle install" },
  { language: "go", kind: "go", lockfile: "go.sum", command: "go mod download" },
  { language: "rust", kind: "cargo", lockfile: "Cargo.lock", command: "cargo fetch --locked" },
];

/** The standard installs for a folder with these file names; at most one per language. */
export function detectInstalls(names: ReadonlySet<string>): Install[] {
  const found = new Map<string, Install>();
  for (const { language, ...install } of INSTALLS) {
    if (names.has(install.lockfile) && !found.has(language)) found.set(language, install);
  }
  return [...found.values()];
}

/** What a folder holds, as far as it is looked into: the text of one of its files, or null. */
export type ReadFile = (name: string) => string | null;

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

function tableIn(text: string | null, key: string): Record<string, unknown> {
  try {
    const value = (JSON.parse(text ?? "{}") as Record<string, unknown> | null)?.[key];
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
