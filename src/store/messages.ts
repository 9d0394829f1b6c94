/** What was sent to the agents of sessions, for people to look up. */
import type { Store } from "./database.ts";

export type Message = {
  /** Epoch ms. */
  at: number;
  /** The worktree that it came from; empty where it came from none. */
  sender: string;
  worktree: string;
  /** Without secrets. */
  text: string;
};

/** How many are kept of each worktree. */
const MOST = 200;

export function recordMessage(store: Store, { at, sender, worktree, text }: Message): void {
  store.transaction(() => {
    store.run("insert into message (at, sender, worktree, text) values (?, ?, ?, ?)", at, sender, worktree, text);
    store.run(
      "delete from message where worktree = ?1 and id not in (select id from message where worktree = ?1 order by id desc limit ?2)",
      worktree,
      MOST,
    );
  });
}

/** The last messages to a worktree, oldest first. */
export function readMessages(store: Store, worktree: string, most: number): Message[] {
  const rows = store.all("select * from message where worktree = ? order by id desc limit ?", worktree, most);
  return rows
    .map((row) => ({
      at: Number(row["at"]),
      sender: String(row["sender"]),
      worktree: String(row["worktree"]),
      text: String(row["text"]),
    }))
    .toReversed();
}
