/** `owt batch …`: runs that begin by the clock. */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { type Command, Option } from "commander";
import { renderUnit, unitName } from "../../core/batch-unit.ts";
import { OwtError } from "../../core/errors.ts";
import { chooseBatch, findRoot, noneHint, type Placed, specOf, viewBatch, withBatches } from "../../engine/batches.ts";
import { claim, type Fired, muzzleOf, startFiring } from "../../engine/fire.ts";
import { describeAhead, findAhead, isUnderWay, settleFirings } from "../../engine/firings.ts";
import { lookOnce, type Seen, watchBatches } from "../../engine/watch-batches.ts";
import { seeBatch, setPaused } from "../../store/firings.ts";
import { installUnit, uninstallUnit, unitFile } from "../../system/user-units.ts";
import { batchToJson, firedWords, moment, renderBatches, renderSeen, zoned } from "../batch-text.ts";
import { answer, answerAsIs, type Io, tell } from "../io.ts";
import { printable, table } from "../text.ts";
import { positiveInteger } from "../work-options.ts";

type JsonOption = { json?: boolean };

export function batchCommands(program: Command, io: Io): void {
  const batch = program.command("batch").description("runs that begin by the clock, as schedule.toml names them");
  batch
    .command("list")
    .description("every batch: when it is next, what became of its last slot")
    .option("--json", "print the answer as JSON")
    .action((options: JsonOption) => within(io, true, (placed) => list(io, placed, options)));
  batch
    .command("next [batch]")
    .description("the next times at which batches begin")
    .addOption(new Option("--count <n>", "so many times of each").argParser(positiveInteger).default(5))
    .option("--json", "print the answer as JSON")
    .action((name: string | undefined, options: JsonOption & { count: number }) =>
      within(io, true, (placed) => next(io, placed, name ?? null, options)),
    );
  batch
    .command("run <batch>")
    .description("start the run of a batch now, with its limits, in the background")
    .option("--json", "print the answer as JSON")
    .action((name: string, options: JsonOption) => within(io, false, (placed) => run(io, placed, name, options)));
  for (const [word, description] of [
    ["pause", "let no slot of a batch begin; a run that it started goes on"],
    ["resume", "let a batch begin again; slots that have passed meanwhile are not made up for"],
  ] as const) {
    batch
      .command(`${word} <batch>`)
      .description(description)
      .option("--json", "print the answer as JSON")
      .action((name: string, options: JsonOption) =>
        within(io, false, async (placed) => pause(io, placed, name, word === "pause", options)),
      );
  }
  batch
    .command("watch")
    .description("start the runs of all batches by the clock, until it is ended")
    .option("--once", "look once, start what is due, and end: for cron")
    .option("--json", "print what was seen as JSON; with --once")
    .action((options: JsonOption & { once?: boolean }) => watch(io, options));
  batch
    .command("install")
    .description("have systemd keep owt batch watch running for this user, here")
    .option("--print", "show the unit, and change nothing")
    .option("--json", "print the answer as JSON")
    .action((options: JsonOption & { print?: boolean }) => install(io, options));
  batch
    .command("uninstall")
    .description("take the systemd unit away again; runs that were started go on")
    .option("--json", "print the answer as JSON")
    .action((options: JsonOption) => uninstall(io, options));
}

function within(io: Io, looks: boolean, work: (placed: Placed) => Promise<void>): Promise<void> {
  return withBatches({ cwd: io.cwd, env: io.env, owtCommand: io.owtCommand, looks }, work);
}

async function list(io: Io, { batches, files }: Placed, options: JsonOption): Promise<void> {
  const views = batches.map((placed) => viewBatch(placed, Date.now(), 1));
  const text = views.length === 0 ? `there is no batch\n  ↳ ${noneHint(files)}` : renderBatches(io, views);
  answer(io, options, { batches: views.map(batchToJson) }, text);
}

async function next(
  io: Io,
  placed: Placed,
  name: string | null,
  options: JsonOption & { count: number },
): Promise<void> {
  if (name !== null) chooseBatch(placed, name);
  const chosen = placed.batches.filter(({ batch }) => name === null || batch.name === name);
  const views = chosen.map((each) => viewBatch(each, Date.now(), options.count));
  const slots = views
    .flatMap(({ batch, next: times }) => times.map((at) => ({ batch, at })))
    .toSorted((a, b) => a.at - b.at);
  const json = slots.map(({ batch, at }) => ({ batch: batch.name, at: moment(at), timezone: batch.timezone }));
  const rows = slots.map(({ batch, at }) => [zoned(at, batch.timezone), batch.timezone, batch.name]);
  const unusable = views.flatMap(({ batch, problem }) =>
    problem === null ? [] : [printable(`${batch.name} never begins: ${problem.message}\n  ↳ ${problem.hint}`)],
  );
  const none = views.length === 0 ? `there is no batch\n  ↳ ${noneHint(placed.files)}` : "nothing is to begin";
  const times = slots.length > 0 ? [table(rows)] : unusable.length > 0 ? [] : [none];
  answer(io, options, { slots: json }, [...times, ...unusable].join("\n"));
}

async function run(io: Io, placed: Placed, name: string, options: JsonOption): Promise<void> {
  const { batch, engine } = chooseBatch(placed, name);
  settleFirings(engine);
  const ahead = findAhead(engine, batch, { before: Infinity, batches: placed.batches.map((each) => each.batch) });
  if (ahead !== null && isUnderWay(engine, ahead))
    throw new OwtError("wrong-state", `${name} ${describeAhead(ahead)}`, {
      hint: `when that is over: owt batch run ${name}`,
    });
  const slot = engine.now();
  const firing = claim(engine, batch, slot, true);
  if (firing === "taken" || "kind" in firing)
    throw new OwtError("wrong-state", `a run of ${name} is under way already`, { hint: "see: owt batch list" });
  const fired = await startFiring(muzzleOf(engine), batch, firing);
  if (fired.kind === "refused") throw refusalOf(name, fired);
  const started = fired.kind === "running" ? fired.run : null;
  const follow = started === null ? "" : `\n  watch it: owt resume ${started} (Ctrl-C there closes the view only)`;
  answer(io, options, { batch: name, slot: moment(slot), run: started }, `${name}: ${firedWords(fired)}${follow}`);
}

/** What kept the run from starting, with the exit code that it had there. */
function refusalOf(name: string, { reason, hint, exitCode }: Extract<Fired, { kind: "refused" }>): OwtError {
  const code = ({ 2: "wrong-state", 3: "plan", 4: "needs-person" } as const)[exitCode] ?? "tool-failed";
  return new OwtError(code, `${name} could not start: ${reason}`, hint === null ? {} : { hint });
}

function pause(io: Io, placed: Placed, name: string, isPaused: boolean, options: JsonOption): void {
  const { batch, engine } = chooseBatch(placed, name);
  const now = engine.now();
  seeBatch(engine.store, name, specOf(batch), now);
  const changed = setPaused(engine.store, name, isPaused ? now : null, now);
  const [slot] = viewBatch({ batch, engine }, now, 1).next;
  const when = slot === undefined ? "" : `; next ${zoned(slot, batch.timezone)} ${batch.timezone}`;
  const already = changed ? "" : " already";
  const text = isPaused
    ? `${name} is paused${already}; go on with: owt batch resume ${name}`
    : `${name} begins by the clock${already}${when}`;
  answer(io, options, { batch: name, paused: isPaused, changed }, printable(text));
}

async function watch(io: Io, options: JsonOption & { once?: boolean }): Promise<void> {
  if (options.json && !options.once)
    throw new OwtError("usage", "what has no end is no JSON answer", {
      hint: "look once: owt batch watch --once --json",
    });
  const seen: Seen[] = [];
  const told = (each: Seen) => {
    seen.push(each);
    tell(io, renderSeen(io, each, Date.now()));
  };
  if (!options.once) return watchBatches(io, io.signal, told);
  await lookOnce(io, told);
  const fired = seen.flatMap((each) => (each.kind === "fired" ? [each] : []));
  const json = fired.map(({ batch, slot, fired: what }) => ({
    batch,
    slot: moment(slot),
    run: what.kind === "running" ? what.run : null,
    refused: what.kind === "refused" ? what.reason : null,
  }));
  const lines = fired.map(({ batch, fired: what }) => `${batch}: ${firedWords(what)}`);
  answer(io, options, { fired: json }, lines.join("\n") || "nothing is due");
}

type Unit = { unit: string; file: string; text: string };

/** The unit of the repository that we are in; outside of one, of the user's own schedule. */
async function unitHere(io: Io): Promise<Unit> {
  const root = await findRoot(io.cwd);
  const hash = createHash("sha256")
    .update(root ?? "")
    .digest("hex")
    .slice(0, 8);
  const unit = unitName(root === null ? null : basename(root), hash);
  const folder = root ?? io.env["HOME"] ?? "/";
  const environment = Object.fromEntries(
    ["PATH", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "OWT_PROFILE"].flatMap((name) => {
      const value = io.env[name];
      return value ? [[name, value]] : [];
    }),
  );
  return { unit, file: unitFile(io.env, unit), text: renderUnit({ command: io.owtCommand, folder, environment }) };
}

async function install(io: Io, options: JsonOption & { print?: boolean }): Promise<void> {
  const { unit, file, text } = await unitHere(io);
  if (options.print) {
    answerAsIs(io, options, { unit, file, text, installed: false }, text);
    return;
  }
  // What is wrong with the schedule is told here, not to a log that nobody reads.
  await within(io, true, async ({ batches, files }) => {
    if (batches.length === 0) throw new OwtError("config", "there is no batch to watch", { hint: noneHint(files) });
  });
  const isNew = await installUnit(io.env, unit, text);
  const lines = [
    isNew ? `${unit} watches from now on, and after every login` : `${unit} is there already, and watches`,
    `  its log:             journalctl --user -u ${unit}`,
    `  also without login:  loginctl enable-linger`,
    `  take it away:        owt batch uninstall`,
  ];
  answer(io, options, { unit, file, text, installed: true }, lines.join("\n"));
}

async function uninstall(io: Io, options: JsonOption): Promise<void> {
  const { unit, file } = await unitHere(io);
  const removed = await uninstallUnit(io.env, unit);
  answer(
    io,
    options,
    { unit, file, removed },
    removed ? `${unit} is gone; nothing watches here any more` : `there is no ${unit}`,
  );
}
