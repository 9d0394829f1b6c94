import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { postJson } from "./post.ts";

/** Posts to such an address of a server; gives what came there. */
async function postedTo(login: string): Promise<{ kind: string; path?: string; authorization?: string }> {
  const came: { path?: string; authorization?: string } = {};
  const server = createServer((request, response) => {
    const { authorization } = request.headers;
    Object.assign(came, { path: request.url, ...(authorization === undefined ? {} : { authorization }) });
    response.end();
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  onTestFinished(() => void server.close());
  await listening.promise;
  const url = `http://${login}127.0.0.1:${(server.address() as AddressInfo).port}/a?b=1`;
  const posted = await postJson(url, {}, { timeoutMs: 10_000, signal: new AbortController().signal });
  return { kind: posted.kind, ...came };
}

const basic = (login: string) => `Basic ${Buffer.from(login).toString("base64")}`;

test.each([
  ["me:word@", "me:word"],
  ["me:p%40ss%3Aw%C3%B6rd@", "me:p@ss:wörd"],
  ["me:100%@", "me:100%"],
  ["token@", "token:"],
])("a login in the address (%s) is sent beside it", async (login, sent) => {
  expect(await postedTo(login)).toEqual({ kind: "sent", path: "/a?b=1", authorization: basic(sent) });
});

test("without one none is sent", async () => {
  expect(await postedTo("")).toEqual({ kind: "sent", path: "/a?b=1" });
});
