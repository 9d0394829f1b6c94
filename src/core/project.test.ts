import { expect, test } from "vitest";
import { detectInstalls } from "./project.ts";

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
