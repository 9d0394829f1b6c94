/** The systemd user unit that keeps `owt batch watch` alive. Pure. Syntax: systemd.service(5), systemd.syntax(7). */

/** What the unit is made from. `environment` is written into it as it stands: nothing secret belongs there. */
export type BatchUnit = { command: readonly string[]; folder: string; environment: Readonly<Record<string, string>> };

/** The text of the unit. The runs that it starts outlive it: only the watcher itself is stopped with it. */
export function renderUnit({ command, folder, environment }: BatchUnit): string {
  return `[Unit]
Description=Starts the scheduled runs of ${escapeSpecifiers(folder)} (owt batch watch)
Documentation=https://github.com/open-orchestrator/open-orchestrator/blob/main/docs/guide/schedules.md

[Service]
Type=exec
WorkingDirectory=${escapeSpecifiers(folder)}
ExecStart=${[...command, "batch", "watch"].map((word) => quote(word).replaceAll("$", "$$$$")).join(" ")}
${Object.entries(environment)
  .map(([name, value]) => `Environment=${quote(`${name}=${value}`)}\n`)
  .join("")}Restart=always
RestartSec=5
SuccessExitStatus=130
KillMode=process

[Install]
WantedBy=default.target
`;
}

/** The name of the unit for a folder; null: for the user's own schedule, watched from no repository. `hash` tells folders of one name apart. */
export function unitName(project: string | null, hash: string): string {
  return project === null
    ? "owt-batch.service"
    : `owt-batch-${project.replaceAll(/[^A-Za-z0-9._-]/g, "-")}-${hash}.service`;
}

function quote(word: string): string {
  return `"${escapeSpecifiers(word).replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

function escapeSpecifiers(text: string): string {
  return text.replaceAll("%", "%%");
}
