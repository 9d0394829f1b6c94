/** Names of tmux sessions. tmux itself changes `.` and `:` to `_` and finds `task-1` in `task-10`: our names hold only what it leaves alone,
 *  and are always addressed whole. */

/** In every process of a session: the path that its worktree had as the process was started. */
export const SESSION_VARIABLE = "OWT_SESSION_OF";

/** Marks every process of a session, with what no other session has as its value: another worktree may stand where its own stood. */
export const KEY_VARIABLE = "OWT_SESSION_KEY";

/** In a session that was made from within another one: the path of that one's worktree. */
export const LEAD_VARIABLE = "OWT_LEAD";

/** What a session prefix may be. */
export const SESSION_PREFIX = /^[A-Za-z0-9][A-Za-z0-9_-]{0,30}$/;

const LONGEST = 80;

/** The names that the session of a worktree may have, best first. The first one reads well and is there only where nothing of the
 *  worktree's name had to be changed; the last one is this worktree's alone, by the hash of its path. Whose a session with such a name
 *  is says its mark, never the name. */
export function sessionNames(at: { prefix: string; project: string; folder: string; path: string }): string[] {
  const { prefix, project, folder, path } = at;
  const isOfProject = folder === project || folder.startsWith(`${project}-`);
  const wanted = `${prefix}-${isOfProject ? folder : `${project}-${folder}`}`;
  const plain = wanted
    .replaceAll(/[^A-Za-z0-9_-]+/g, "-")
    .slice(0, LONGEST)
    .replace(/-+$/, "");
  const own = `${plain}-${hashOf(path)}`;
  return plain === wanted ? [plain, own] : [own];
}

/** FNV-1a, 32 bits, as eight hexadecimal digits. */
function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
