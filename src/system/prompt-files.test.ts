import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Layer } from "../core/config.ts";
import { listPromptFiles, promptFolders, readPromptFile } from "./prompt-files.ts";

let home = "";
let root = "";
let env: NodeJS.ProcessEnv = {};

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "owt-prompts-"));
  root = join(home, "shop");
  mkdirSync(root);
  env = { HOME: home, XDG_CONFIG_HOME: join(home, ".config") };
});
afterEach(() => rmSync(home, { recursive: true }));

function write(path: string, text: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

const layer = (origin: Layer["origin"], override_dir: string): Layer => ({
  origin,
  name: origin,
  values: { prompts: { override_dir } },
});

describe("where templates are looked for", () => {
  test("project, user, built-in; the seed's folders behind ours; shown as a person would name them", () => {
    expect(
      promptFolders(root, [], env)
        .map(({ origin, shown }) => `${origin} ${shown}`)
        .slice(0, -1),
    ).toEqual([
      "project .owt/prompts",
      "project .claude-orchestrator/prompts",
      "user ~/.config/open-orchestrator/prompts",
      "user ~/.config/claude-orchestrator/prompts",
      "user ~/.config/claude-plan-orchestrator/prompts",
    ]);
  });

  test("the built-in folder holds the built-in templates", () => {
    const builtIn = promptFolders(root, [], env).at(-1)!;
    expect(builtIn).toMatchObject({ origin: "built-in", exists: true });
    expect(readPromptFile(builtIn, "epic/task.md", root)!.text).toBe(
      readFileSync(new URL("../../prompts/epic/task.md", import.meta.url), "utf8"),
    );
  });

  test("override_dir stands before the folders of the place that sets it; ~ is home", () => {
    for (const name of ["mine", ".config/open-orchestrator/own", "shop/words", "shop/env"])
      mkdirSync(join(home, name), { recursive: true });
    const layers = [layer("user", "~/mine"), layer("repository", "words"), layer("environment", "env")];
    const names = promptFolders(root, layers, env).map(({ shown }) => shown);
    expect(names.slice(0, 5)).toEqual(["env", "words", ".owt/prompts", ".claude-orchestrator/prompts", "~/mine"]);
    expect(promptFolders(root, [layer("user", "own")], env)[2]!.shown).toBe("~/.config/open-orchestrator/own");
  });

  test("a repository's override_dir lies in the repository, through links too; the user's may be anywhere", () => {
    for (const name of ["mine", "shop/words"]) mkdirSync(join(home, name), { recursive: true });
    symlinkSync(join(home, "mine"), join(root, "link"));
    for (const out of ["../mine", "~/mine", join(home, "mine"), "link", "words/../../mine"])
      expect(() => promptFolders(root, [layer("repository", out)], env)).toThrow(/leads out of the repository/);
    for (const origin of ["user", "environment"] as const)
      expect(promptFolders(root, [layer(origin, join(home, "mine"))], env)).not.toEqual([]);
    expect(promptFolders(root, [layer("repository", "words")], env)[0]!.shown).toBe("words");
  });

  test("an override_dir that is not there is an error", () => {
    expect(() => promptFolders(root, [layer("repository", "gone")], env)).toThrow(/override_dir: gone is not a folder/);
    write(join(root, "file"), "");
    expect(() => promptFolders(root, [layer("repository", "file")], env)).toThrow(/is not a folder/);
  });
});

describe("a template file", () => {
  const read = () => readPromptFile(promptFolders(root, [], env)[0]!, "epic/task.md", root);
  const path = () => join(root, ".owt/prompts/epic/task.md");

  test("is read without its byte order mark; none is null", () => {
    expect(read()).toBeNull();
    write(path(), "\ufeff{{.Title}}");
    expect(read()).toEqual({ origin: "project", file: ".owt/prompts/epic/task.md", text: "{{.Title}}" });
  });

  test("may be a link inside the repository, and not one that leads out of it or nowhere", () => {
    write(join(root, "shared.md"), "shared");
    write(join(home, "secret"), "secret");
    mkdirSync(dirname(path()), { recursive: true });
    symlinkSync(join(root, "shared.md"), path());
    expect(read()!.text).toBe("shared");
    rmSync(path());
    symlinkSync(join(home, "secret"), path());
    expect(read).toThrow(/leads out of the repository/);
    rmSync(path());
    symlinkSync(join(home, "gone"), path());
    expect(read).toThrow(/leads nowhere/);
    rmSync(join(root, ".owt"), { recursive: true });
    write(join(home, "out/prompts/epic/task.md"), "secret");
    symlinkSync(join(home, "out"), join(root, ".owt"));
    expect(read).toThrow(/leads out of the repository/);
  });

  test("is a text of a size that an agent can read", () => {
    mkdirSync(path(), { recursive: true });
    expect(read).toThrow(/is not a file/);
    rmSync(path(), { recursive: true });
    write(path(), new Uint8Array([0xff, 0xfe]));
    expect(read).toThrow(/is not UTF-8/);
    write(path(), "x".repeat(1_000_001));
    expect(read).toThrow(/larger than 1 MB/);
  });
});

test("the files of a folder are named, one level deep", () => {
  const folder = promptFolders(root, [], env)[0]!;
  expect(listPromptFiles(folder)).toEqual([]);
  for (const name of ["a.md", "epic/task.md", "epic/notes.txt", "epic/deep/b.md"])
    write(join(root, ".owt/prompts", name), "");
  expect(listPromptFiles(promptFolders(root, [], env)[0]!)).toEqual(["a.md", "epic/task.md"]);
});
