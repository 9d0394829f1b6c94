/** Which TCP ports somebody listens on. */
import { readFileSync } from "node:fs";
import { execSync } from "./exec.ts";

/** The ports that are listened on, on any address; none where the system does not say. On Linux a read of two files, elsewhere one process. */
export function portsInUse(): Set<number> {
  if (process.platform === "linux") {
    const ports = [...listening("/proc/net/tcp"), ...listening("/proc/net/tcp6")];
    return new Set(ports);
  }
  try {
    const said = execSync("netstat", ["-an", "-p", "tcp"], process.env);
    return new Set(
      [...said.matchAll(/^tcp\S*\s+\d+\s+\d+\s+\S*[.:](\d+)\s.*LISTEN/gm)].map((match) => Number(match[1])),
    );
  } catch {
    return new Set();
  }
}

/** `sl local_address rem_address st …`, addresses and ports in hexadecimal; state 0A is LISTEN (proc_pid_net(5)). */
function listening(file: string): number[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    // Without IPv6 there is no such file.
    return [];
  }
  return [...text.matchAll(/^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /gm)].map((match) =>
    parseInt(match[1]!, 16),
  );
}
