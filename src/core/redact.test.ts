import { expect, test } from "vitest";
import { isSecretKey, isSecretName, redact, secretsIn } from "./redact.ts";

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
  ["log in with password=hunter2hunter2, then go", "log in with password=(hidden) then go"],
  ["DB_PASSWORD=hunter22 PGPASSWORD='two words' npm test", "DB_PASSWORD=(hidden) PGPASSWORD='(hidden)' npm test"],
  ["password: correcthorse\nuser: ann", "password: (hidden)\nuser: ann"],
  ['{"password": "two words", "user": "ann"}', '{"password": "(hidden)", "user": "ann"}'],
  ["api_key=a1b2c3d4 and apiKey: 'a1b2c3d4'", "api_key=(hidden) and apiKey: '(hidden)'"],
  ["https://host/?access_token=a1b2c3d4&page=2", "https://host/?access_token=(hidden)&page=2"],
  ["AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "AWS_SECRET_ACCESS_KEY=(hidden)"],
  ["AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI true", "AWS_SECRET_ACCESS_KEY=(hidden) true"],
  ['command = ["agent", "--token", "correcthorse", "-v"]', 'command = ["agent", "--token", "(hidden)", "-v"]'],
  ['["agent","--password","correct"]', '["agent","--password","(hidden)"]'],
  ["MAX_TOKENS=100000 KEYBOARD=english", "MAX_TOKENS=100000 KEYBOARD=english"],
  ["mysql -u root -pS3cret99 shop", "mysql -u root -p(hidden) shop"],
  ["mysqldump -pS3cret99 shop | gzip -p9999", "mysqldump -p(hidden) shop | gzip -p9999"],
  ["tool --password S3cret99 --verbose", "tool --password (hidden) --verbose"],
  ["sshpass -p S3cret99 ssh host", "sshpass -p (hidden) ssh host"],
  ["curl -s -u ann:S3cret99 https://host", "curl -s -u ann:(hidden) https://host"],
  ["unexpected token: expected a semicolon", "unexpected token: expected a semicolon"],
  ["input_tokens: 1234567, max_tokens=100000", "input_tokens: 1234567, max_tokens=100000"],
  ["password_file=/run/secrets/db mkdir -p src/deep", "password_file=/run/secrets/db mkdir -p src/deep"],
  ["what does the password field do? the token is checked", "what does the password field do? the token is checked"],
  ["owt/tasks/shop-e01/1", "owt/tasks/shop-e01/1"],
])("%s becomes %s", (text, clean) => {
  expect(redact(text, [])).toBe(clean);
});

test("names", () => {
  expect(["API_KEY", "notifications.slack_webhook", "GITHUB_TOKEN"].every(isSecretName)).toBe(true);
  expect(["PATH", "run.verify", "HOME"].some(isSecretName)).toBe(false);
});

test("how many tokens may be used is no secret", () => {
  expect(["budget.tokens", "agent.claude.max_tokens", "budget.task_tokens"].some(isSecretKey)).toBe(false);
  expect(["notifications.slack_webhook", "web.token", "agent.mine.env.API_KEY"].every(isSecretKey)).toBe(true);
});
