/** What is configured, where each value comes from, and what is wrong or idle in the files: for people who look at it. */
import { readFileSync } from "node:fs";
import { AGENT_KINDS, kindOf, permissionModes, READY_AGENTS } from "../agents/registry.ts";
import { configKeys, idleKeys, type SetValue, valuesInForce } from "../core/config-about.ts";
import {
  asWritten,
  type Layer,
  leadsOut,
  mergeConfig,
  namedAgents,
  profileNames,
  variableOf,
  withProfile,
} from "../core/config.ts";
import { AGENT_KEYS, type ConfigValues } from "../core/config-keys.ts";
import { OwtError } from "../core/errors.ts";
import { BUILT_IN_LAYOUTS } from "../core/layout.ts";
import { addressesIn, describeUnset, variableIn } from "../core/notification.ts";
import { nearest, nearestHint } from "../core/names.ts";
import { type Place, placeOf, placesOf } from "../core/toml-places.ts";
import {
  checkFile,
  type FileProblem,
  loadConfig,
  readConfig,
  soundLayer,
  wantedProfile,
} from "../system/config-files.ts";
import { idleFallOvers } from "./credentials.ts";

/** Where a value comes from. */
export type Origin =
  | { kind: "default" }
  | { kind: "user" | "repository"; file: string; line: number; column: number; profile: string | null }
  | { kind: "environment"; variable: string }
  | { kind: "flag" };

/** `value` is null where nothing is set; `otherwise` says in words what holds then. */
export type ShownValue = { key: string; value: unknown; origin: Origin; used: boolean; otherwise: string | null };

export type ShownConfig = { profile: string | null; profiles: string[]; values: ShownValue[] };

/** Every value in force with its origin. `root` is null outside of a checkout. Throws `config` with every problem, as a run would. */
export function showConfig(root: string | null, env: NodeJS.ProcessEnv, flags: ConfigValues): ShownConfig {
  const { layers } = loadConfig(root, { env, agentKinds: AGENT_KINDS, flags });
  refuseUnknownAgent(layers, flags);
  const set = valuesInForce(layers).map(toShown);
  return { profile: wantedProfile(env), profiles: profileNames(layers), values: withUnset(set) };
}

/** What holds without being set is in force all the same; each behind the others of its section. */
function withUnset(set: readonly ShownValue[]): ShownValue[] {
  const unset = configKeys().filter(
    ({ key, otherwise, later }) => otherwise !== null && later === null && !set.some((each) => each.key === key),
  );
  const shown = unset.map(({ key, otherwise }): ShownValue => ({
    key,
    value: null,
    origin: { kind: "default" },
    used: true,
    otherwise,
  }));
  const sections = [...new Set(configKeys().map(({ key }) => sectionOf(key)))];
  return [...set, ...shown].toSorted((a, b) => sections.indexOf(sectionOf(a.key)) - sections.indexOf(sectionOf(b.key)));
}

function sectionOf(key: string): string {
  return key.split(".", 1)[0]!;
}

function refuseUnknownAgent(layers: readonly Layer[], { agent }: ConfigValues): void {
  const name = agent?.default;
  const known = [...new Set([...READY_AGENTS, ...namedAgents(layers)])];
  if (name === undefined || known.includes(name)) return;
  throw new OwtError("unknown-name", `there is no agent named ${name}`, {
    hint: nearestHint(name, known, `known: ${known.join(", ")}; see: owt doctor`),
  });
}

function toShown({ key, value, layer, isIdle }: SetValue): ShownValue {
  return { key, value, origin: originOf(layer, key), used: !isIdle, otherwise: null };
}

function originOf(layer: Layer | null, key: string): Origin {
  if (layer === null) return { kind: "default" };
  if (layer.origin === "flag") return { kind: "flag" };
  if (layer.origin === "environment") return { kind: "environment", variable: variableOf(key) };
  const { file, text, raw } = layer.source!;
  const profile = layer.profile ?? null;
  const full = profile === null ? key : `profile.${profile}.${key}`;
  return { kind: layer.origin, file, ...placeOf(placesOf(text), asWritten(raw, full)), profile };
}

/** The values of one key or of one section. A key that is not set has none. Throws `unknown-name` with the nearest keys. */
export function chooseValues({ values }: ShownConfig, key: string): ShownValue[] {
  const chosen = values.filter((each) => each.key === key || each.key.startsWith(`${key}.`));
  if (chosen.length > 0) return chosen;
  const known = configKeys().map((each) => each.key);
  const isAgents = /^agent\.[^.]+\.([^.]+)$/.exec(key)?.[1];
  if (
    known.includes(key) ||
    known.some((each) => each.startsWith(`${key}.`)) ||
    known.includes(`agent.NAME.${isAgents}`)
  )
    return [];
  const agents = values.flatMap((each) => /^agent\.[^.]+(?=\.)/.exec(each.key)?.[0] ?? []);
  const ready = READY_AGENTS.map((name) => `agent.${name}`);
  if (ready.includes(key)) return [];
  const sections = known.map((name) => name.split(".", 1)[0]!);
  const names = [...new Set([...sections, ...known, ...values.map((each) => each.key), ...agents, ...ready])];
  const word = (name: string) => name.split(".").at(-1)!;
  const byWord = nearest(word(key), names.map(word)).flatMap((each) => names.filter((name) => word(name) === each));
  const near = [...new Set([...nearest(key, names), ...byWord])].slice(0, 3);
  throw new OwtError("unknown-name", `there is no key ${key}`, {
    hint:
      near.length > 0 ? `did you mean ${near.join(" or ")}? owt config show` : "those that are set: owt config show",
  });
}

export type Remark = {
  level: "problem" | "note";
  file: string;
  place: Place | null;
  key: string | null;
  message: string;
  hint: string | null;
};

/** A word that counts by what stands elsewhere: in these sections. */
type Stray = { remark: Remark; about: string[] };

export type Verdict = { files: string[]; remarks: Remark[] };

/** All that is wrong, and all that does nothing, in all files and variables. */
export function validateConfig(root: string | null, env: NodeJS.ProcessEnv): Verdict {
  const { layers, problems, files } = readConfig(root, { env, agentKinds: AGENT_KINDS, tolerant: true });
  const found = files.filter((each) => each.found).map(({ name }) => name);
  const remarks = [
    ...remarksOn(layers, problems),
    ...[...sideBySide(layers)].flatMap((each) => sameLogins(each, env)),
    ...unknownProfile(layers, env),
    ...sideBySide(layers).flatMap((each) => unsetAddresses(each, env)),
    ...mistypedVariables(env, layers),
  ];
  return { files: found, remarks: inOrder(remarks) };
}

function unknownProfile(layers: readonly Layer[], env: NodeJS.ProcessEnv): Remark[] {
  const name = wantedProfile(env);
  const known = profileNames(layers);
  if (name === null || known.includes(name)) return [];
  const close = nearest(name, known);
  const hint = close.length > 0 ? `did you mean ${close.join(" or ")}?` : `there are ${known.join(", ") || "none"}`;
  return [
    { level: "problem", file: "OWT_PROFILE", place: null, key: null, message: `there is no profile ${name}`, hint },
  ];
}

/** Addresses of notifications that stand in variables which are not set; of a repository those that `mayUse` lets be used. */
export function unsetAddresses(
  layers: readonly Layer[],
  env: NodeJS.ProcessEnv,
  mayUse: (address: string) => boolean = () => true,
): Remark[] {
  return layers.flatMap((layer) =>
    addressesIn(layer).flatMap(({ key, address }): Remark[] => {
      const name = variableIn(address);
      if (name === null || env[name] || (layer.origin === "repository" && !mayUse(address))) return [];
      const hint = `where owt runs: export ${name}=https://…`;
      return [{ level: "problem", ...standing(layer, `notifications.${key}`), message: describeUnset(name), hint }];
    }),
  );
}

/** All that is wrong in these layers, what the values alone tell included, and what does nothing. */
function remarksOn(layers: readonly Layer[], problems: readonly FileProblem[]): Remark[] {
  const named = problems.flatMap(({ key }) => key ?? []);
  const words = [...halfAgents(layers), ...sideBySide(layers).flatMap(strayWords)];
  // What a problem names needs no second word; and what could not be read may say what seems to be missing.
  const isTold = ({ about }: Stray) =>
    about.some(
      (section) =>
        named.some((key) => isWithin(key, section)) ||
        layers.some(({ unread }) => unread !== undefined && unread.includes(nameIn(section))),
    );
  return [
    ...problems.map(toRemark),
    ...words.filter((each) => !isTold(each)).map(({ remark }) => remark),
    ...layers.flatMap(idleRemarks).filter(({ key }) => key === null || !named.includes(key)),
  ];
}

/** `claude` of `agent.claude`. */
function nameIn(section: string): string {
  return /^(?:agent|tmux\.layouts)\.([^.]+)/.exec(section)![1]!;
}

/** Whether a key stands in a section, whichever profile's. */
function isWithin(key: string, section: string): boolean {
  return `${key}.`.replace(/^profile\.[^.]+\./, "").startsWith(`${section}.`);
}

/** The same of one file alone, wherever it lies. Throws `usage` when it cannot be read. */
export function validateFile(path: string, shown: string): Verdict {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const hint = "name a configuration file, or none for all that count here: owt config validate";
    throw new OwtError("usage", `${shown} cannot be read`, { hint, cause });
  }
  const read = checkFile(shown, text, AGENT_KINDS);
  const problems = "problems" in read ? read.problems : [];
  const sound = "problems" in read ? soundLayer(shown, text, AGENT_KINDS) : read;
  return { files: [shown], remarks: inOrder(remarksOn([{ origin: "repository", name: shown, ...sound }], problems)) };
}

/** What is in force together: without a profile, and with each of them. */
function sideBySide(layers: readonly Layer[]): Layer[][] {
  return [[...layers], ...profileNames(layers).map((name) => withProfile(layers, name))];
}

/** Sections of agents that are none: neither built in, nor told with whatever profile what program they are. */
function halfAgents(layers: readonly Layer[]): Stray[] {
  const combined = sideBySide(layers).map((each) => mergeConfig(each).agent.named);
  const isWhole = (name: string) => combined.some((named) => kindOf(name, named[name] ?? {}) !== null);
  const setUp = [...layers, ...profileNames(layers).flatMap((name) => withProfile(layers, name))];
  return setUp.flatMap((layer) =>
    Object.keys(layer.values.agent?.named ?? {}).flatMap((name): Stray[] => {
      if (isWhole(name)) return [];
      const message = "is no agent: it has neither a kind nor a command, and none of that name is built in";
      const close = nearest(name, READY_AGENTS);
      const hint =
        close.length > 0 ? `did you mean ${close.join(" or ")}?` : 'say which program it is: command = ["…"]';
      const section = `agent.${name}`;
      return [{ remark: { level: "problem", ...standing(layer, section), message, hint }, about: [section] }];
    }),
  );
}

/** Names of agents that nobody set up, permission modes that their agent does not take, and files that are never brought: words which the shape of a file does not
 *  tell. */
function strayWords(layers: readonly Layer[]): Stray[] {
  const { agent, tmux } = mergeConfig(layers);
  const layouts = [...BUILT_IN_LAYOUTS, ...Object.keys(tmux.layouts ?? {})];
  const known = [...new Set([...READY_AGENTS, ...Object.keys(agent.named)])];
  const strays: Stray[] = [];
  const look = (
    layer: Layer,
    key: string,
    word: string | undefined,
    words: readonly string[] | null,
    [what, about]: [what: string, about: string],
  ) => {
    if (word === undefined || words === null || words.includes(word)) return;
    const close = nearest(word, words);
    const hint = close.length > 0 ? `did you mean ${close.join(" or ")}?` : `there are ${words.join(", ")}`;
    const message = `there is no ${what} ${word}`;
    strays.push({ remark: { level: "problem", ...standing(layer, key), message, hint }, about: [about] });
  };
  for (const layer of layers) {
    const layout = layer.values.tmux?.default_layout;
    look(layer, "tmux.default_layout", layout, layouts, ["layout", `tmux.layouts.${layout}`]);
    for (const name of layer.values.environment?.env_files ?? [])
      if (!name.startsWith("!") && leadsOut(name))
        strays.push({
          remark: {
            // A worktree is made without it.
            level: "note",
            ...standing(layer, "environment.env_files"),
            message: `${name} leads out of the repository, and is never brought`,
            hint: "name files below the repository's top",
          },
          about: [],
        });
    const chosen = layer.values.agent?.default;
    look(layer, "agent.default", chosen, known, ["agent named", `agent.${chosen}`]);
    for (const [name, { permission_mode: mode, fall_over: other }] of Object.entries(layer.values.agent?.named ?? {})) {
      look(layer, `agent.${name}.fall_over`, other, known, ["agent named", `agent.${other}`]);
      const kind = kindOf(name, agent.named[name] ?? {}) ?? "command";
      look(layer, `agent.${name}.permission_mode`, mode, permissionModes(kind), [
        "permission mode",
        `agent.${name}.kind`,
      ]);
    }
  }
  return strays;
}

/** Agents that would fall over to one which the same usage limit holds. */
function sameLogins(layers: readonly Layer[], env: NodeJS.ProcessEnv): Remark[] {
  const source = { config: mergeConfig(layers), env, owtCommand: [], repo: { commonDir: "" } };
  return idleFallOvers(source).flatMap(({ agent, to }) => {
    const layer = layers.findLast(({ values }) => values.agent?.named?.[agent]?.fall_over === to);
    if (layer === undefined) return [];
    const place = standing(layer, `agent.${agent}.fall_over`);
    const message = `does nothing: ${to} works with the same login as ${agent}, so that a usage limit holds both`;
    return [{ level: "note", ...place, message, hint: `give it a login of its own: [agent.${to}] env` }];
  });
}

function standing(layer: Layer, key: string): Pick<Remark, "file" | "place" | "key"> {
  const origin = originOf(layer, key);
  if (origin.kind === "environment") return { file: origin.variable, place: null, key: null };
  if (!("file" in origin)) return { file: layer.name, place: null, key };
  const { file, line, column, profile } = origin;
  return { file, place: { line, column }, key: profile === null ? key : `profile.${profile}.${key}` };
}

function idleRemarks({ origin, name, source, values }: Layer): Remark[] {
  const note = { level: "note" as const, file: name, hint: null };
  if (origin === "environment")
    return idleKeys(values).map(({ key, message }) => ({
      ...note,
      file: variableOf(key),
      place: null,
      key: null,
      message,
    }));
  if (!source) return [];
  const places = placesOf(source.text);
  return idleKeys(source.raw)
    .map(({ key, message }) => ({ ...note, place: placeOf(places, key), key, message }))
    .toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
}

/** Variables that are read and stand for no key. */
const NO_KEYS = ["OWT_TMUX_SOCKET"];

/** Variables that begin like those of our sections and set nothing. */
function mistypedVariables(env: NodeJS.ProcessEnv, layers: readonly Layer[]): Remark[] {
  const agents = [...new Set([...READY_AGENTS, ...namedAgents(layers)])];
  const ofAgents = agents.flatMap((name) => Object.keys(AGENT_KEYS).map((key) => variableOf(`agent.${name}.${key}`)));
  const known = [...configKeys().flatMap(({ variable }) => variable ?? []), ...ofAgents, ...NO_KEYS];
  const prefixes = [...new Set(known.map((name) => /^OWT_[A-Z]+_/.exec(name)![0]))];
  return Object.keys(env).flatMap((name): Remark[] => {
    if (known.includes(name) || !prefixes.some((prefix) => name.startsWith(prefix))) return [];
    const [close] = nearest(name, known, 1);
    const message = `is no key, and does nothing${close === undefined ? "" : `; did you mean ${close}?`}`;
    return [{ level: "note", file: name, place: null, key: null, message, hint: null }];
  });
}

function toRemark(problem: FileProblem): Remark {
  return { level: "problem", ...problem };
}

/** Each once; what is wrong before what does nothing. */
function inOrder(remarks: readonly Remark[]): Remark[] {
  const unique = [...new Map(remarks.map((each) => [JSON.stringify(each), each])).values()];
  return unique.toSorted((a, b) => Number(a.level === "note") - Number(b.level === "note"));
}
