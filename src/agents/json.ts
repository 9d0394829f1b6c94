/** Lenient reading of JSON that other programs write: what is not of the expected shape reads as empty. */
import { readFileSync } from "node:fs";

export type Json = Record<string, unknown>;

/** The object in a file; empty when there is none that can be read. */
export function readJson(path: string): Json {
  try {
    return record(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return {};
  }
}

/** The object on a line, or null when the line is none. */
export function parseJson(line: string): Json | null {
  if (!line.startsWith("{")) return null;
  try {
    return record(JSON.parse(line));
  } catch {
    return null;
  }
}

export function record(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** A number that counts something: tokens, dollars. What is below zero is no such number, nor what nobody ever used or paid. */
export function amount(value: unknown): number | null {
  const read = number(value);
  return read !== null && read >= 0 && read <= MOST ? read : null;
}

/** Sums of such numbers stay exact enough, and finite. */
const MOST = 1e15;
