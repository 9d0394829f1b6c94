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
  /** False where the agent did not take what was typed. */
  isTaken: boolean;
};

/** How many are kept of each worktree. */
const MOST = 200;

/** Writes one down, as taken. Gives the number by which {@link noteNotTaken} knows it. */
export function recordMessage(store: Store, { at, sender, worktree, text }: Omit<Message, "isTaken">): number {
  return store.transaction(() => {
    const sql = "insert into message (at, sender, worktree, text) values (?, ?, ?, ?) returning id";
    const id = Number(store.get(sql, at, sender, worktree, text)!["id"]);
    store.run(
      "delete from message where worktree = ?1 and id not in (select id from message where worktree = ?1 order by id desc limit ?2)",
      worktree,
      MOST,
    );
    return id;
  });
}

export function noteNotTaken(store: Store, id: number): void {
  store.run("update message set taken = 0 where id = ?", id);
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
      isTaken: row["taken"] === 1,
    }))
    .toReversed();
}
