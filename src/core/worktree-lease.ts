/** What a worktree has to itself on this machine: a block of ports, the name of a database and that of a compose project. Pure. */
import { slug } from "./names.ts";

/** `firstPort` is null where no ports are wished, or none are free. */
export type Lease = { firstPort: number | null; ports: number; database: string; compose: string };

/** Ports that are given out: above those of well-known services, below those that systems give to outgoing connections (Linux 32768, others 49152). */
const FIRST = 20_000;
const LAST = 31_999;

export type PortBlock = { first: number; count: number };

/** The first free block of `count` ports: no other has any of them, and nobody listens on one. Null where there is none. */
export function choosePorts(count: number, taken: readonly PortBlock[], busy: ReadonlySet<number>): number | null {
  if (count === 0) return null;
  const used = new Set(busy);
  for (const block of taken) for (let port = block.first; port < block.first + block.count; port++) used.add(port);
  for (let first = FIRST; first + count - 1 <= LAST; first += count) {
    let port = first;
    while (port < first + count && !used.has(port)) port++;
    if (port === first + count) return first;
  }
  return null;
}

/** Longest name of a database in PostgreSQL (63 bytes) and MySQL (64), with room for a number. */
const NAME_LENGTH = 58;

/** A name for a database and one for a compose project that nobody has: of the repository and the worktree, with a number where that is taken.
 *  Letters, digits and `_` or `-`, a letter first, so that no tool needs quotes. */
export function chooseNames(
  project: string,
  worktree: string,
  isTaken: (names: { database: string; compose: string }) => boolean,
): { database: string; compose: string } {
  const of = slug(project);
  const name = slug(worktree);
  const joined = name === of || name.startsWith(`${of}-`) ? name : `${of}-${name}`;
  const base = (/^[a-z]/.test(joined) ? joined : `owt-${joined}`).slice(0, NAME_LENGTH).replace(/-$/, "");
  for (let number = 1; ; number++) {
    const compose = number === 1 ? base : `${base}-${number}`;
    const names = { database: compose.replaceAll("-", "_"), compose };
    if (!isTaken(names)) return names;
  }
}

/** The variables by which agents, commands, hooks and templates learn of a lease. */
export function leaseVariables({ firstPort, ports, database, compose }: Lease): Record<string, string> {
  const variables: Record<string, string> = { OWT_DATABASE: database, COMPOSE_PROJECT_NAME: compose };
  if (firstPort === null) return variables;
  variables["OWT_PORT"] = String(firstPort);
  for (let at = 0; at < ports; at++) variables[`OWT_PORT_${at}`] = String(firstPort + at);
  return variables;
}

/** Fills `${NAME}` with the variables that there are; anything else in braces is somebody else's and stays. */
export function fillTemplate(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+)\}/g, (written, name: string) =>
    Object.hasOwn(variables, name) ? variables[name]! : written,
  );
}
