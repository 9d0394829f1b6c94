/** Durations as people write them: `30m`, `8h`, `90s`, `1h30m`; a bare number is one of seconds, where programs say it. */

const UNIT_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds, or null when the text is no duration. */
export function parseDuration(text: string | number): number | null {
  if (typeof text === "number") return Number.isFinite(text * 1_000) && text >= 0 ? text * 1_000 : null;
  const compact = text.trim().toLowerCase().replaceAll(/\s+/g, "");
  if (/^\d+(\.\d+)?$/.test(compact)) return parseDuration(Number(compact));
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(compact)) return null;
  let total = 0;
  for (const [, amount, unit] of compact.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    total += Number(amount) * UNIT_MS[unit!]!;
  return Number.isFinite(total) ? total : null;
}

/** A duration as a person says it, on a command line or in a file: there a bare number other than 0 is none, for nobody can tell of what it is. */
export function parseSaidDuration(text: string): number | null {
  const ms = parseDuration(text);
  return /^[\d\s.]+$/.test(text) && ms !== 0 ? null : ms;
}

/** `0.5s`, `45s`, `2.5m`, `14m`, `1h 05m`: as exact as an expectation is. */
export function roughDuration(ms: number): string {
  const minutes = ms / 60_000;
  if (ms < 10_000) return `${Math.round(ms / 100) / 10}s`;
  if (ms < 59_500) return `${Math.round(ms / 1_000)}s`;
  if (minutes < 9.95) return `${Math.round(minutes * 10) / 10}m`;
  if (minutes < 59.5) return `${Math.round(minutes)}m`;
  const whole = Math.round(minutes);
  return `${Math.floor(whole / 60)}h ${String(whole % 60).padStart(2, "0")}m`;
}

/** `45s`, `3m 05s`, `1h 02m`: what a line of a screen has room for. */
export function renderDuration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)}s`;
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, "0")}s`;
  return `${Math.floor(seconds / 3_600)}h ${String(Math.floor((seconds % 3_600) / 60)).padStart(2, "0")}m`;
}
