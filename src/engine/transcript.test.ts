/** An output that is cut while it grows says the same to whoever reads it, at any moment, as if it were whole. */
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Attempt } from "../core/attempt.ts";
import { mergeConfig } from "../core/config.ts";
import { readGap } from "../system/capped-file.ts";
import type { Engine } from "./engine.ts";
import { Transcript } from "./transcript.ts";

const KIB = 1024;
const [HEAD, TAIL] = [64 * KIB, 256 * KIB];

/** `diskKib`: on a disk of its own of that size, for which it takes root. */
function place(diskKib?: number): { engine: Engine; attempt: Attempt; out: string; err: string; home: string } {
  const home = mkdtempSync(join(tmpdir(), "owt-transcript-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  if (diskKib !== undefined) {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${diskKib}k`, "owt-transcript", home]);
    onTestFinished(() => void execFileSync("umount", ["--lazy", home]));
  }
  const config = mergeConfig([]);
  config.run.log_head_mb = HEAD / KIB / KIB;
  config.run.log_tail_mb = TAIL / KIB / KIB;
  const dir = join(home, "owt", "attempts", "1");
  mkdirSync(dir, { recursive: true });
  // The parts of an engine that a transcript looks at.
  const engine = {
    config,
    repo: { commonDir: home },
    prices: [],
    env: { CLAUDE_CONFIG_DIR: home },
    owtCommand: ["owt"],
  };
  const attempt = { id: 1, agent: "claude", session: "s", startedAt: 0 } as Attempt;
  return { engine: engine as unknown as Engine, attempt, out: join(dir, "out"), err: join(dir, "err"), home };
}

const line = (value: object): string => `${JSON.stringify(value)}\n`;
const says = (text: string, id = "m"): string =>
  line({
    type: "assistant",
    message: {
      id,
      model: "claude-opus-5-5",
      usage: { input_tokens: 1, output_tokens: 2 },
      content: [{ type: "text", text }],
    },
  });
const DENIED = line({ type: "system", subtype: "permission_denied", tool_name: "Bash" });
const LIMIT = line({ type: "rate_limit_event", rate_limit_info: { status: "rejected", resetsAt: 1_800_000_000 } });
const ERROR = line({ type: "assistant", error: "server_error", api_error_status: 529, message: { content: [] } });
const retry = (error: string, status = 401): string =>
  line({ type: "system", subtype: "api_retry", attempt: 1, max_retries: 10, error_status: status, error });
const result = (turns: number, usd: number): string =>
  line({
    type: "result",
    subtype: "success",
    is_error: false,
    result: "Done.",
    num_turns: turns,
    permission_denials: [],
    model_usage_since_last_result: { "claude-opus-5-5": { inputTokens: 5, outputTokens: 7, costUSD: usd } },
  });
const NOISE = `${"x".repeat(300 * KIB)}\n`;

/** What a reader of now takes from the file. */
async function shownBy({ engine, attempt }: ReturnType<typeof place>): Promise<object> {
  const transcript = new Transcript(engine, attempt);
  await transcript.readToEnd();
  const { evidence, refused, hasEnded, books } = transcript;
  // Denials are judged as a set.
  return {
    evidence: { ...evidence, denials: [...new Set(evidence.denials)] },
    refused,
    hasEnded,
    usage: books.read(true),
  };
}

describe("an output above its caps", () => {
  const PIECES: Record<string, string> = {
    denied: DENIED,
    limit: LIMIT,
    error: ERROR,
    refused: retry("authentication_failed"),
    retry: retry("server_error", 500),
    result: result(3, 0.25),
    emptyResult: result(0, 0),
    noise: NOISE,
    nuls: `${"\0".repeat(200 * KIB)}\n`,
    words: "no json\r\n",
    says0: says("", "m0"),
    says1: says("1 ".repeat(10 * KIB), "m1"),
    says2: says("2 ".repeat(50 * KIB), "m2"),
  };
  const piece = fc.constantFrom(...Object.keys(PIECES));

  test(
    "says the same as a whole one, whoever reads it, before and after it is made small",
    { timeout: 120_000 },
    async () => {
      const texts = fc.array(fc.array(piece, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 8 });
      await fc.assert(
        fc.asyncProperty(texts, fc.boolean(), async (names, hasNewline) => {
          const rounds = names.map((round) => round.map((name) => PIECES[name]!));
          const [whole, cut] = [place(), place()];
          whole.engine.config.run.log_head_mb = 1_000;
          const text = hasNewline ? rounds.flat().join("") : rounds.flat().join("").slice(0, -1);
          writeFileSync(whole.out, text);
          let meter = new Transcript(cut.engine, cut.attempt);
          for (const [number, round] of rounds.entries()) {
            const isLast = number === rounds.length - 1;
            appendFileSync(cut.out, isLast && !hasNewline ? round.join("").slice(0, -1) : round.join(""));
            await meter.read();
            // Somebody else takes over.
            if (number % 3 === 2) meter = new Transcript(cut.engine, cut.attempt);
          }
          const expected = await shownBy(whole);
          expect(await shownBy(cut)).toEqual(expected);
          for (const _ of ["first", "again"]) {
            const last = new Transcript(cut.engine, cut.attempt);
            await last.readToEnd();
            await last.shrink();
            expect(statSync(cut.out).size).toBeLessThanOrEqual(HEAD + TAIL);
            expect(await shownBy(cut)).toEqual(expected);
          }
        }),
        { numRuns: 40 },
      );
    },
  );

  test("keeps head and tail byte for byte, and says in one line how much is not there", async () => {
    const at = place();
    const text = Array.from({ length: 20 }, (_, n) => says(String(n).repeat(50 * KIB))).join("");
    for (let from = 0; from < text.length; from += 100_000) {
      appendFileSync(at.out, text.slice(from, from + 100_000));
      await new Transcript(at.engine, at.attempt).read();
      const { blocks } = statSync(at.out);
      expect(blocks * 512).toBeLessThanOrEqual(HEAD + TAIL + Math.max(TAIL / 4, 128 * KIB) + 100_000 + 16 * KIB);
    }
    expect(statSync(at.out).size).toBe(text.length);
    const last = new Transcript(at.engine, at.attempt);
    await last.readToEnd();
    await last.shrink();
    const { from, to } = readGap(at.out)!;
    const kept = readFileSync(at.out, "utf8");
    expect(kept).toBe(`${text.slice(0, from)}\nowt: ${to - from} bytes were left out here\n${text.slice(to)}`);
    expect(from).toBe(HEAD);
    expect(kept.length).toBeLessThanOrEqual(HEAD + TAIL);
    expect(kept.length).toBeGreaterThan(HEAD + TAIL - KIB);
  });

  test("where no hole can be made it is small at its end, and says the same all the while", async () => {
    const [path, at] = [process.env["PATH"], place()];
    onTestFinished(() => void (process.env["PATH"] = path));
    process.env["PATH"] = "/nowhere";
    const meter = new Transcript(at.engine, at.attempt);
    writeFileSync(at.out, DENIED + LIMIT);
    for (let n = 0; n < 40; n++) {
      appendFileSync(at.out, (n === 20 ? ERROR + result(2, 0.5) : "") + says(`${n} `.repeat(20 * KIB), `m${n}`));
      await meter.read();
    }
    const whole = readFileSync(at.out, "utf8");
    expect(statSync(at.out).blocks * 512).toBeGreaterThanOrEqual(whole.length);
    const expected = await shownBy(at);
    expect(expected).toMatchObject({
      evidence: { denials: ["Bash"], errors: [{ status: 529 }], results: [{ turns: 2 }] },
    });
    const last = new Transcript(at.engine, at.attempt);
    await last.readToEnd();
    await last.shrink();
    expect(await shownBy(at)).toEqual(expected);
    expect(statSync(at.out).size).toBeLessThanOrEqual(HEAD + TAIL);
    expect(readFileSync(at.out, "utf8")).toMatch(/bytes were left out here/);
    expect(whole.endsWith(readFileSync(at.out, "utf8").slice(-TAIL + KIB))).toBe(true);
  });

  test("a line that does not end is let go of while it comes", async () => {
    const at = place();
    const meter = new Transcript(at.engine, at.attempt);
    writeFileSync(at.out, DENIED);
    for (let mib = 0; mib < 16; mib++) {
      appendFileSync(at.out, "y".repeat(KIB * KIB));
      await meter.read();
    }
    expect(statSync(at.out).blocks * 512).toBeLessThan(2 * KIB * KIB);
    appendFileSync(at.out, `\n${result(3, 0.5)}`);
    expect(await shownBy(at)).toMatchObject({
      evidence: { denials: ["Bash"], results: [{ turns: 3 }] },
      hasEnded: true,
    });
  });

  test("standard error is kept small as well", async () => {
    const at = place();
    writeFileSync(at.out, "");
    const meter = new Transcript(at.engine, at.attempt);
    for (let mib = 0; mib < 4; mib++) {
      appendFileSync(at.err, `${"e".repeat(KIB * KIB - 1)}\n`);
      await meter.read();
      expect(statSync(at.err).blocks * 512).toBeLessThan(KIB * KIB);
    }
    appendFileSync(at.err, "the reason\n");
    await meter.shrink();
    expect(statSync(at.err).size).toBeLessThanOrEqual(HEAD + TAIL);
    expect(readFileSync(at.err, "utf8")).toMatch(/^e{9}[^]*bytes were left out here\ne[^]*\nthe reason\n$/);
  });

  test.skipIf(process.platform !== "linux" || process.getuid?.() !== 0)(
    "where it fills the disk itself, what was read of it makes the room for its note, and nothing of it is lost",
    async () => {
      const at = place(4 * KIB);
      const text = DENIED + says("a".repeat(HEAD)) + ERROR + LIMIT + NOISE.repeat(8) + result(2, 0.125);
      const whole = place();
      writeFileSync(whole.out, text);
      const expected = await shownBy(whole);
      writeFileSync(at.out, text);
      const ballast = join(at.home, "ballast");
      expect(() => writeFileSync(ballast, Buffer.alloc(4 * KIB * KIB, 1))).toThrow("ENOSPC");
      const transcript = new Transcript(at.engine, at.attempt);
      await transcript.readToEnd();
      await transcript.shrink();
      expect(statSync(at.out).blocks * 512).toBeLessThanOrEqual(HEAD + TAIL + 16 * KIB);
      expect(await shownBy(at)).toEqual(expected);
    },
  );

  test("what was written down by one who died before the hole was made counts once", async () => {
    const at = place();
    writeFileSync(
      at.out,
      DENIED + says("a".repeat(HEAD)) + ERROR + LIMIT + says("b".repeat(TAIL * 3)) + result(2, 0.125),
    );
    const expected = await shownBy(at);
    await new Transcript(at.engine, at.attempt).read();
    appendFileSync(`${at.out}.kept`, line({ kind: "denied", tool: "Never" }));
    expect(await shownBy(at)).toEqual(expected);
    const next = new Transcript(at.engine, at.attempt);
    await next.readToEnd();
    await next.shrink();
    expect(await shownBy(at)).toEqual(expected);
  });
});

test("a login that is refused twice in a row is told, one that was got over is not", async () => {
  const at = place();
  const refused = retry("authentication_failed");
  const shown = async (text: string) => {
    writeFileSync(at.out, text);
    return await shownBy(at);
  };
  expect(await shown(refused + refused)).toMatchObject({ refused: { kind: "auth" } });
  expect(await shown(refused + says("there") + refused)).toMatchObject({ refused: null });
  expect(await shown(refused + retry("server_error", 500) + refused)).toMatchObject({ refused: null });
});

test("a turn is over with its last result, and not with the empty one that opens a resume", async () => {
  const at = place();
  const hasEnded = async (text: string) => {
    writeFileSync(at.out, text);
    return ((await shownBy(at)) as { hasEnded: boolean }).hasEnded;
  };
  expect(await hasEnded(result(0, 0))).toBe(false);
  expect(await hasEnded(says("a") + result(2, 1))).toBe(true);
  expect(await hasEnded(`${says("a")}${result(2, 1)}{"type":"system","subtype":"hook_response"}\n`)).toBe(true);
  expect(await hasEnded(result(2, 1) + says("and more"))).toBe(false);
  expect(await hasEnded(result(2, 1) + says("and more") + result(1, 1))).toBe(true);
});
