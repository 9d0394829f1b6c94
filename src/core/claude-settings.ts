/** The hooks of owt in a `.claude/settings.json`. */
import { applyEdits, modify } from "jsonc-parser";

/** What Claude Code runs, by event. */
export type Hooks = Record<string, { hooks: { type: string; command: string; timeout: number }[] }[]>;

/** Where the script of the hooks lies in a project. */
export const PROJECT_SCRIPT = ".claude/hooks/owt.sh";

/** The plugin's hooks as a project has them: its own copy of the script, and nothing where a checkout has none. */
export function projectHooks(plugin: Hooks): Hooks {
  const command = (event: string) =>
    `f="$CLAUDE_PROJECT_DIR"/${PROJECT_SCRIPT}; [ ! -f "$f" ] || exec sh "$f" ${event}`;
  return Object.fromEntries(
    Object.entries(plugin).map(([event, entries]) => [
      event,
      entries.map(({ hooks }) => ({ hooks: hooks.map((hook) => ({ ...hook, command: command(event) })) })),
    ]),
  );
}

/** Whether they are there. */
export function hasHooks(settings: string): boolean {
  return settings.includes(PROJECT_SCRIPT);
}

/** The settings with these hooks behind those that are there; all else stays as it stands. Null where the settings have a shape that is not known. */
export function addHooks(settings: string, hooks: Hooks): string | null {
  const present = hooksOf(settings);
  if (present === null) return null;
  const formattingOptions = { insertSpaces: true, tabSize: 2 };
  let text = settings;
  for (const [event, entries] of Object.entries(hooks)) {
    const there = present[event] ?? [];
    text = applyEdits(text, modify(text, ["hooks", event], [...there, ...entries], { formattingOptions }));
  }
  return text;
}

function hooksOf(settings: string): Record<string, unknown[]> | null {
  try {
    const whole: unknown = JSON.parse(settings);
    if (!isObject(whole)) return null;
    const hooks = whole["hooks"] ?? {};
    return isObject(hooks) && Object.values(hooks).every((each) => Array.isArray(each))
      ? (hooks as Record<string, unknown[]>)
      : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
