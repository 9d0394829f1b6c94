import { describe, expect, test } from "vitest";
import { detectChecks, detectInstalls, HOW_TO_GET } from "./project.ts";

const installs = (...names: string[]) => detectInstalls(new Set(names)).map(({ kind, command }) => [kind, command]);

test.each([
  ["uv.lock", "uv", "uv sync --frozen"],
  ["poetry.lock", "poetry", "poetry install --no-interaction"],
  ["Pipfile.lock", "pipenv", "pipenv sync"],
  ["bun.lock", "bun", "bun install --frozen-lockfile"],
  ["bun.lockb", "bun", "bun install --frozen-lockfile"],
  ["pnpm-lock.yaml", "pnpm", "pnpm install --frozen-lockfile"],
  ["yarn.lock", "yarn", "yarn install --frozen-lockfile"],
  ["package-lock.json", "npm", "npm ci --no-audit --no-fund"],
  ["composer.lock", "composer", "composer install --no-interaction"],
  ["Gemfile.lock", "bundler", "bundle install"],
  ["go.sum", "go", "go mod download"],
  ["Cargo.lock", "cargo", "cargo fetch --locked"],
])("%s is installed with %s, exactly as it is locked", (lockfile, kind, command) => {
  expect(detectInstalls(new Set(["README.md", lockfile]))).toMatchObject([{ kind, lockfile, command, isLocked: true }]);
});

test("a folder of several languages gets one install for each, and never two for one", () => {
  expect(
    installs("package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb").map(([kind]) => kind),
  ).toEqual(["bun"]);
  expect(installs("poetry.lock", "uv.lock").map(([kind]) => kind)).toEqual(["uv"]);
  expect(installs("Cargo.lock", "package-lock.json", "uv.lock").map(([kind]) => kind)).toEqual(["uv", "npm", "cargo"]);
});

describe("without a lockfile the manifest tells, the more specific first", () => {
  const json = (value: object) => JSON.stringify(value);
  const wants = { dependencies: { a: "1" } };
  test.each<[name: string, files: Record<string, string>, kinds: string[]]>([
    ["a package.json is npm's", { "package.json": json(wants) }, ["npm"]],
    ["unless it names another", { "package.json": json({ ...wants, packageManager: "pnpm@11.0.0" }) }, ["pnpm"]],
    ["yarn", { "package.json": json({ ...wants, packageManager: "yarn@4.9.0" }) }, ["yarn"]],
    ["bun", { "package.json": json({ devDependencies: { a: "1" }, packageManager: "bun@1.3.0" }) }, ["bun"]],
    ["one that wants nothing needs nothing", { "package.json": json({ scripts: { test: "x" } }) }, []],
    ["one that is no JSON", { "package.json": "{" }, []],
    ["a Pipfile goes before hints", { Pipfile: "", "pyproject.toml": "[tool.uv]\n" }, ["pipenv"]],
    ["hints of uv", { "pyproject.toml": "[project]\n[tool.uv.sources]\n", "requirements.txt": "" }, ["uv"]],
    ["hints of poetry", { "pyproject.toml": "[tool.poetry]\n", "requirements.txt": "" }, ["poetry"]],
    ["settings of other tools are no hint", { "pyproject.toml": "[tool.ruff]\n" }, []],
    ["requirements", { "requirements.txt": "flask\n" }, ["pip"]],
    ["composer", { "composer.json": json({ require: { "a/b": "^1" } }) }, ["composer"]],
    ["bundler", { Gemfile: "" }, ["bundler"]],
    ["a Python project that asks for something", { "pyproject.toml": '[project]\ndependencies = ["a"]\n' }, ["pip"]],
    [
      "behind other lists",
      { "pyproject.toml": '[project]\nauthors = [{ name = "a" }]\ndependencies = [ # what it needs\n"a"]\n' },
      ["pip"],
    ],
    ["in several lines", { "pyproject.toml": '[project]\nname = "x"\ndependencies = [\n  "a",\n]\n' }, ["pip"]],
    ["one that asks for nothing", { "pyproject.toml": '[project]\ndependencies = []\n[x]\ny = ["a"]\n' }, []],
    ["dependencies of something else", { "pyproject.toml": '[project]\nname = "x"\n[x]\ndependencies = ["a"]\n' }, []],
    ["go", { "go.mod": "module x\nrequire a.b/c v1.0.0\n" }, ["go"]],
    ["rust", { "Cargo.toml": '[package]\n[dependencies]\na = "1"\n' }, ["cargo"]],
    ["a workspace of rust", { "Cargo.toml": '[workspace]\nmembers = ["a"]\n' }, ["cargo"]],
    ["go and rust that ask for nothing", { "go.mod": "module x\n", "Cargo.toml": "[package]\n[dependencies]\n" }, []],
    [
      "a lockfile goes before all",
      { "package.json": json(wants), "yarn.lock": "", "requirements.txt": "" },
      ["yarn", "pip"],
    ],
  ])("%s", (_, files, kinds) => {
    const found = detectInstalls(new Set(Object.keys(files)), (name) => files[name] ?? null);
    expect(found.map(({ kind }) => kind)).toEqual(kinds);
  });
  test("and nobody's text but a lockfile's name is looked at where none is given", () => {
    expect(installs("package.json", "pyproject.toml", "requirements.txt", "Gemfile", "Pipfile")).toEqual([]);
  });
});

test("every program that an install needs can be got", () => {
  const all =
    "uv.lock poetry.lock Pipfile.lock bun.lock pnpm-lock.yaml yarn.lock package-lock.json composer.lock Gemfile.lock go.sum Cargo.lock requirements.txt".split(
      " ",
    );
  const programs = all.flatMap((name) => detectInstalls(new Set([name]), () => "").map(({ program }) => program));
  expect(programs).toHaveLength(12);
  expect(programs.filter((program) => HOW_TO_GET[program] === undefined)).toEqual([]);
});

describe("checks are those that the project defines", () => {
  const script = (scripts: object) => JSON.stringify({ scripts });
  test.each<[name: string, files: Record<string, string>, checks: string[]]>([
    ["nothing", { "README.md": "run the tests: npm test" }, []],
    ["a test script", { "package.json": script({ test: "vitest run" }) }, ["npm test"]],
    ["what npm init writes", { "package.json": script({ test: 'echo "Error: no test specified" && exit 1' }) }, []],
    [
      "scripts that look, not those that change or serve",
      { "package.json": script({ start: "x", fix: "x", lint: "x", test: "x", typecheck: "x" }), "pnpm-lock.yaml": "" },
      ["pnpm run typecheck", "pnpm run lint", "pnpm test"],
    ],
    ["bun's own test is another one", { "package.json": script({ test: "x" }), "bun.lock": "" }, ["bun run test"]],
    ["a package.json that is none", { "package.json": "{" }, []],
    ["cargo", { "Cargo.toml": "" }, ["cargo test"]],
    ["go", { "go.mod": "" }, ["go test ./..."]],
    ["pytest by its section", { "pyproject.toml": "[tool.pytest.ini_options]\n" }, ["pytest"]],
    ["pytest by dependency", { "pyproject.toml": 'dev = ["pytest>=8"]\n', "uv.lock": "" }, ["uv run pytest"]],
    ["a remark is no dependency", { "requirements.txt": "# pytest\npytest-cov\n" }, []],
    ["python without pytest", { "pyproject.toml": "[project]\n" }, []],
    ["poetry", { "conftest.py": "", "poetry.lock": "" }, ["poetry run pytest"]],
    ["maven with its wrapper", { "pom.xml": "", mvnw: "" }, ["./mvnw -q test"]],
    ["a make target where nothing else is found", { Makefile: "test: build\n\tx\n" }, ["make test"]],
    ["a make variable is no target", { Makefile: "test := x\ncheck:\n" }, ["make check"]],
    ["make beside cargo", { Makefile: "test:\n", "Cargo.toml": "" }, ["cargo test"]],
    ["two languages", { "package.json": script({ test: "x" }), "go.mod": "" }, ["npm test", "go test ./..."]],
  ])("%s", (_, files, checks) => {
    expect(detectChecks(new Set(Object.keys(files)), (name) => files[name] ?? null)).toEqual(checks);
  });
});
