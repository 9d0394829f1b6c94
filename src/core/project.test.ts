import { describe, expect, test } from "vitest";
import { detectChecks, detectInstalls } from "./project.ts";

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
  expect(detectInstalls(new Set(["README.md", lockfile]))).toEqual([{ kind, lockfile, command }]);
});

test("a folder of several languages gets one install for each, and never two for one", () => {
  expect(
    installs("package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb").map(([kind]) => kind),
  ).toEqual(["bun"]);
  expect(installs("poetry.lock", "uv.lock").map(([kind]) => kind)).toEqual(["uv"]);
  expect(installs("Cargo.lock", "package-lock.json", "uv.lock").map(([kind]) => kind)).toEqual(["uv", "npm", "cargo"]);
});

test("without a lockfile nothing is installed unasked", () => {
  expect(installs("package.json", "pyproject.toml", "Cargo.toml", "go.mod", "Gemfile")).toEqual([]);
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
