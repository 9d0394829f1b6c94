/** Posts JSON to an address that is a secret: nothing that is said of what came of it holds the address. */

export type Posted =
  | { kind: "sent" }
  /** `retryAfterMs`: when the receiver wants to be asked again. */
  | { kind: "refused"; status: number; retryAfterMs: number | null }
  | { kind: "failed"; reason: string };

/** One try, of at most so many milliseconds. Redirects are not followed: a message goes where it was meant to, or nowhere. */
export async function postJson(
  url: string,
  body: object,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<Posted> {
  try {
    const { address, login } = splitLogin(url);
    const answer = await fetch(address, {
      method: "POST",
      headers: { "content-type": "application/json", "user-agent": "open-orchestrator", ...login },
      body: JSON.stringify(body),
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    await answer.body?.cancel();
    if (answer.ok) return { kind: "sent" };
    const after = Number(answer.headers.get("retry-after") ?? Number.NaN);
    const retryAfterMs = Number.isFinite(after) ? after * 1_000 : null;
    return { kind: "refused", status: answer.status, retryAfterMs };
  } catch (error) {
    return { kind: "failed", reason: reasonOf(error) };
  }
}

/** An address with a login in it (`https://me:word@host/`) is none for `fetch`: the login goes beside it, as other programs send it. */
function splitLogin(url: string): { address: string; login: { authorization?: string } } {
  const parsed = new URL(url);
  const { username, password } = parsed;
  if (username === "" && password === "") return { address: url, login: {} };
  parsed.username = "";
  parsed.password = "";
  const words = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString("base64");
  return { address: parsed.href, login: { authorization: `Basic ${words}` } };
}

/** As it stands where it is no encoding. */
function decoded(word: string): string {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}

/** Without the message, which may quote the address. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError") return "no answer in time";
  const cause: unknown = error instanceof Error ? error.cause : null;
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : null;
  return code ?? "it could not be reached";
}
