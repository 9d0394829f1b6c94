/** The configuration as a JSON Schema (2020-12), for editors: made from the schema that checks it, never written by hand. */
import { configKeys } from "./config-about.ts";
import { ALIASES } from "./config.ts";
import { AGENT_KEYS, KEYS } from "./config-keys.ts";

type Schema = Record<string, unknown>;

/** A schema of valibot or a step of its pipe, as far as one is looked into here. */
type Part = {
  kind: string;
  type: string;
  wrapped?: Part;
  item?: Part;
  value?: Part;
  entries?: Readonly<Record<string, Part>>;
  options?: readonly (Part | string)[];
  pipe?: readonly Part[];
  requirement?: unknown;
};

/** Sections that a table `[agent.NAME]` or keys of later versions may extend. */
const CLOSED = new Set(["worktree", "environment", "sync", "cleanup", "run", "conflicts", "budget", "prompts"]);

/** Where editors find the schema that the package brings (`schemas/worktreerc.json`). */
export const CONFIG_SCHEMA_URL = "https://unpkg.com/open-orchestrator/schemas/worktreerc.json";

/** The schema of `.worktreerc`. */
export function configSchema(): Schema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: CONFIG_SCHEMA_URL,
    title: "Open Orchestrator: .worktreerc",
    type: "object",
    properties: {
      ...sections(),
      profile: {
        description: "laid over the rest by --profile NAME or OWT_PROFILE",
        type: "object",
        additionalProperties: { $ref: "#/$defs/profile" },
      },
    },
    additionalProperties: false,
    $defs: { profile: { type: "object", properties: sections(), additionalProperties: false } },
  };
}

function sections(): Record<string, Schema> {
  const about = new Map(configKeys().map((each) => [each.key, each]));
  return Object.fromEntries(
    Object.entries(KEYS).map(([section, keys]) => {
      const properties: Record<string, Schema> = {};
      for (const [key, type] of Object.entries(keys as unknown as Record<string, Part>)) {
        const { says, default: value, later } = about.get(`${section}.${key}`)!;
        const description = later === null ? says : `${says}. Not used yet: it comes with ${later}`;
        properties[key] = { description, ...schemaOf(type), ...(value === null ? {} : { default: value }) };
      }
      addAliases(section, properties);
      return [section, sectionOf(section, properties)];
    }),
  );
}

function sectionOf(section: string, properties: Record<string, Schema>): Schema {
  if (section === "agent") return { type: "object", properties, additionalProperties: agentSchema() };
  return { type: "object", properties, ...(CLOSED.has(section) ? { additionalProperties: false } : {}) };
}

function agentSchema(): Schema {
  const about = new Map(configKeys().map(({ key, says }) => [key, says]));
  const properties = Object.entries(AGENT_KEYS as unknown as Record<string, Part>).map(
    ([key, type]): [string, Schema] => [key, { description: about.get(`agent.NAME.${key}`), ...schemaOf(type) }],
  );
  return { type: "object", properties: Object.fromEntries(properties), additionalProperties: false };
}

function addAliases(section: string, properties: Record<string, Schema>): void {
  for (const [alias, name] of Object.entries(ALIASES)) {
    const [where, word] = alias.split(".") as [string, string];
    const ours = name.split(".")[1]!;
    if (where !== section) continue;
    const { default: _, ...meant } = properties[ours]!;
    properties[word] = { ...meant, description: `a word of other tools for ${ours}`, deprecated: true };
  }
}

function schemaOf(part: Part): Schema {
  if (part.pipe) return Object.assign({}, ...part.pipe.map(pieceOf)) as Schema;
  switch (part.type) {
    case "optional":
      return schemaOf(part.wrapped!);
    case "string":
    case "number":
    case "boolean":
      return { type: part.type };
    case "array":
      return { type: "array", items: schemaOf(part.item!) };
    case "picklist":
      return { enum: part.options };
    case "union":
      return { anyOf: part.options!.map((each) => schemaOf(each as Part)) };
    case "record":
      return { type: "object", additionalProperties: schemaOf(part.value!) };
    case "object_with_rest":
      return tableSchema(part.entries!);
    case "unknown":
    case "custom":
      return {};
    default:
      throw new Error(`no JSON Schema is known for ${part.type}`);
  }
}

function tableSchema(entries: Readonly<Record<string, Part>>): Schema {
  const required = Object.keys(entries).filter((key) => entries[key]!.type !== "optional");
  const properties = Object.fromEntries(Object.entries(entries).map(([key, part]) => [key, schemaOf(part)]));
  return { type: "object", properties, ...(required.length > 0 ? { required } : {}), additionalProperties: false };
}

/** What one step of a pipe asks of a value. */
function pieceOf(piece: Part): Schema {
  if (piece.kind === "schema") return schemaOf(piece);
  switch (piece.type) {
    case "integer":
      return { type: "integer" };
    case "min_value":
      return { minimum: piece.requirement };
    case "max_value":
      return { maximum: piece.requirement };
    case "gt_value":
      return { exclusiveMinimum: piece.requirement };
    case "min_length":
      return { minItems: piece.requirement };
    case "regex":
      return { pattern: (piece.requirement as RegExp).source };
    case "check":
      return {};
    default:
      throw new Error(`no JSON Schema is known for ${piece.type}`);
  }
}
