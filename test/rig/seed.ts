import { configureGlobal } from "fast-check";

// A red run must be the fault of the change it was made for: the same cases every time. `npm run check` draws new ones
// (OWT_SEED=new), and any run can be repeated with the seed that it printed.
const wish = process.env["OWT_SEED"] ?? "20260901";
const seed = wish === "new" ? Date.now() & 0x7fffffff : Number(wish);
if (!Number.isInteger(seed)) throw new Error(`OWT_SEED is "${wish}": "new" or a whole number is needed`);
if (wish === "new") process.stderr.write(`OWT_SEED=${seed}\n`);

configureGlobal({ seed });
