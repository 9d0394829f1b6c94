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
