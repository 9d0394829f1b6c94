/** Sizes as people write them: `512MB`, `1.5 GiB`, `2 GB`, or a bare number of bytes. */

const UNITS: Record<string, number> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** Bytes, or null when the text is no size. */
export function parseSize(text: string | number): number | null {
  if (typeof text === "number") return Number.isFinite(text) && text >= 0 ? Math.round(text) : null;
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(text.trim().toLowerCase()) ?? [];
  const bytes = amount === undefined ? NaN : Number(amount) * (UNITS[unit === "" ? "b" : unit!] ?? NaN);
  return Number.isFinite(bytes) ? Math.round(bytes) : null;
}

/** Memory, as it is counted: `3.1 GiB`, `512 MiB`, `under 1 MiB`. */
export function renderMemory(bytes: number): string {
  if (bytes > 0 && bytes < 2 ** 20) return "under 1 MiB";
  return bytes >= 0.95 * 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${Math.round(bytes / 2 ** 20)} MiB`;
}

/** Room on a disk, as it is sold: `1.9 GB`, `350 MB`, `0.4 MB`. Rounded down: what is left is never told too large. */
export function renderDisk(bytes: number): string {
  const down = (value: number) => (Math.floor(value * 10) / 10).toFixed(1);
  if (bytes >= 1e9) return `${down(bytes / 1e9)} GB`;
  return bytes >= 10e6 ? `${Math.floor(bytes / 1e6)} MB` : `${down(bytes / 1e6)} MB`;
}
