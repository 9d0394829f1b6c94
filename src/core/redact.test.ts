import { expect, test } from "vitest";
import { isSecretName, redact, secretsIn } from "./redact.ts";

test("values of variables with the name of a secret are hidden wherever they stand", () => {
  const env = {
    ANTHROPIC_API_KEY: "plain words",
    PATH: "/usr/bin:/bin",
    DB_PASSWORD: "hunter22",
    GH_TOKEN: "x",
    EMPTY_KEY: "",
  };
  expect(secretsIn(env)).toEqual(["plain words", "hunter22"]);
  expect(redact("a hunter22 b, and plain words, in /usr/bin:/bin", secretsIn(env))).toBe(
    "a (hidden) b, and (hidden), in /usr/bin:/bin",
  );
});

test.each([
  ["sk-ant-api03-abcdefghij", "(hidden)"],
  ["token ghp_0123456789abcdef end", "token (hidden) end"],
  ["glpat-0123456789abc", "(hidden)"],
  ["xoxb-0123456789-abc", "(hidden)"],
  ["AKIAIOSFODNN7EXAMPLE", "(hidden)"],
  ["eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "(hidden)"],
  ["Authorization: Bearer abc.def-0123", "Authorization: Bearer (hidden)"],
  ["https://ann:pass@example.com/x.git", "https://(hidden)@example.com/x.git"],
  ["git@github.com:a/b.git", "git@github.com:a/b.git"],
  ["owt/tasks/shop-e01/1", "owt/tasks/shop-e01/1"],
])("%s becomes %s", (text, clean) => {
  expect(redact(text, [])).toBe(clean);
});

test("names", () => {
  expect(["API_KEY", "notifications.slack_webhook", "GITHUB_TOKEN"].every(isSecretName)).toBe(true);
  expect(["PATH", "run.verify", "HOME"].some(isSecretName)).toBe(false);
});
