/** Units of the user's own systemd: written, started, and taken away again. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { userConfigHome } from "./config-files.ts";
import { exec } from "./exec.ts";
import { ensureFolder, readTextIfThere, removeFile, writeFileAtomically } from "./files.ts";
import { findProgram } from "./programs.ts";

/** Where the user's units lie: systemd.unit(5). */
export function unitFile(env: NodeJS.ProcessEnv, unit: string): string {
  return join(userConfigHome(env), "systemd", "user", unit);
}

/** Writes a unit and has it started, now and at every login. False where it was there as it is, and runs. Throws `environment` where the user has no
 *  systemd; nothing is written then. */
export async function installUnit(env: NodeJS.ProcessEnv, unit: string, text: string): Promise<boolean> {
  await refuseWithoutSystemd(env);
  const file = unitFile(env, unit);
  const isNew = readTextIfThere(file) !== text;
  if (isNew) {
    ensureFolder(join(file, ".."));
    writeFileAtomically(file, text);
    await systemctl(env, ["daemon-reload"]);
  }
  await systemctl(env, ["enable", unit]);
  // What runs by an older text is started anew; what runs by this one goes on.
  await systemctl(env, [isNew ? "restart" : "start", unit]);
  return isNew;
}

/** Stops a unit and takes it away; false where there is none. */
export async function uninstallUnit(env: NodeJS.ProcessEnv, unit: string): Promise<boolean> {
  const file = unitFile(env, unit);
  if (!existsSync(file)) return false;
  await refuseWithoutSystemd(env);
  await systemctl(env, ["disable", "--now", unit]);
  removeFile(file);
  await systemctl(env, ["daemon-reload"]);
  return true;
}

async function refuseWithoutSystemd(env: NodeJS.ProcessEnv): Promise<void> {
  const hint = "keep it running another way, such as in tmux or from cron's @reboot: owt batch watch";
  if (findProgram("systemctl", env) === null)
    throw new OwtError("environment", "there is no systemd here: systemctl is not on the PATH", { hint });
  const { code, stderr } = await exec("systemctl", ["--user", "show-environment"], { env, ok: ANY });
  if (code === 0) return;
  const said = stderr.trim().split("\n")[0];
  throw new OwtError("environment", `systemd does not answer for this user${said ? `: ${said}` : ""}`, { hint });
}

async function systemctl(env: NodeJS.ProcessEnv, words: readonly string[]): Promise<void> {
  const { code, stderr } = await exec("systemctl", ["--user", ...words], { env, ok: ANY });
  if (code === 0) return;
  throw new OwtError("tool-failed", `systemctl --user ${words.join(" ")} failed: ${stderr.trim().split("\n")[0]}`, {
    hint: "look: systemctl --user status; the unit itself: owt batch install --print",
  });
}

const ANY = Array.from({ length: 256 }, (_, code) => code);
