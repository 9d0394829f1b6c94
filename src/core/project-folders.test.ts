import { expect, test } from "vitest";
import { detectProjects, isSearched, SEARCH } from "./project-folders.ts";

/** Folders from the texts of their telling files by path. */
function told(files: Record<string, string>) {
  const byFolder = Map.groupBy(Object.entries(files), ([path]) => path.split("/").slice(0, -1).join("/"));
  return [...byFolder].map(([path, entries]) => {
    const texts = Object.fromEntries(entries.map(([name, text]) => [name.split("/").at(-1)!, text]));
    return { path, names: new Set(Object.keys(texts)), texts };
  });
}

const found = (files: Record<string, string>) =>
  detectProjects(told(files)).projects.map(({ folder, installs, members }) => ({
    folder,
    kinds: installs.map(({ kind }) => kind),
    members,
  }));

const wants = JSON.stringify({ dependencies: { a: "1" } });

test("workspaces are installed at their root, once; a project with a lockfile of its own is installed by itself", () => {
  const workspaces = JSON.stringify({ workspaces: ["packages/*", "apps/**", "!apps/old"] });
  expect(
    found({
      "package.json": workspaces,
      "package-lock.json": "",
      "packages/a/package.json": wants,
      "packages/own/package.json": wants,
      "packages/own/package-lock.json": "",
      "apps/one/two/package.json": wants,
      "apps/old/package.json": wants,
      "elsewhere/package.json": wants,
    }),
  ).toEqual([
    { folder: "", kinds: ["npm"], members: ["apps/one/two", "packages/a"] },
    { folder: "packages/own", kinds: ["npm"], members: [] },
  ]);
});

test("the workspaces of pnpm, of yarn's long form and of uv", () => {
  expect(found({ "pnpm-lock.yaml": "", "pnpm-workspace.yaml": "", "x/package.json": wants })).toMatchObject([
    { folder: "", members: ["x"] },
  ]);
  const long = JSON.stringify({ workspaces: { packages: ["./x/"] } });
  expect(found({ "yarn.lock": "", "package.json": long, "x/package.json": wants })).toMatchObject([{ members: ["x"] }]);
  const uv = { "uv.lock": "", "pyproject.toml": "[tool.uv.workspace]\nmembers = ['x']\n" };
  expect(found({ ...uv, "x/pyproject.toml": "[tool.uv]\n" })).toMatchObject([{ kinds: ["uv"], members: ["x"] }]);
});

test("several languages in one folder and in several", () => {
  expect(
    found({
      "Cargo.lock": "",
      "web/package-lock.json": "",
      "backend/requirements.txt": "flask\n",
      "backend/go.sum": "",
    }),
  ).toEqual([
    { folder: "", kinds: ["cargo"], members: [] },
    { folder: "backend", kinds: ["go", "pip"], members: [] },
    { folder: "web", kinds: ["npm"], members: [] },
  ]);
});

test("below a project of its language a manifest without a lockfile is none", () => {
  expect(found({ "uv.lock": "", "docs/requirements.txt": "sphinx\n", "docs/package.json": wants })).toEqual([
    { folder: "", kinds: ["uv"], members: [] },
    { folder: "docs", kinds: ["npm"], members: [] },
  ]);
});

test("too many are cut, and it is said", () => {
  const many = Object.fromEntries(Array.from({ length: SEARCH.projects + 1 }, (_, n) => [`p${n}/go.sum`, ""]));
  const { projects, cut } = detectProjects(told(many));
  expect([projects.length, cut]).toEqual([SEARCH.projects, true]);
  expect(detectProjects(told({ "go.sum": "" })).cut).toBe(false);
});

test("what belongs to others, or only stands for a project, is not searched", () => {
  const names = ["node_modules", "vendor", ".git", ".venv", "Fixtures", "target", "src", "web"];
  expect(names.filter(isSearched)).toEqual(["src", "web"]);
});
