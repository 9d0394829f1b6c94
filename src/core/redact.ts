/** Takes secrets out of what a person may hand on. */

/** Names of variables and keys whose value is a secret. */
const SECRET_NAME = /key|token|secret|passw|credential|webhook|auth/i;

/** Shapes of well-known credentials: Anthropic and OpenAI, GitHub, GitLab, Slack, AWS, JSON web tokens, bearer headers, URLs with a login; then
 *  what stands behind the name of a secret, as people write it in assignments, in YAML and JSON, and on command lines. No shape looks further back or
 *  ahead than a bounded way, so that a text of megabytes takes no longer than its length. */
const SHAPES: readonly (readonly [shape: RegExp, kept: string])[] = [
  [/\bsk-[\w-]{8,}/g, ""],
  [/\b(gh[pousr]_|github_pat_)\w{8,}/g, ""],
  [/\bglpat-[\w-]{8,}/g, ""],
  [/\bxox[a-z]-[\w-]{8,}/g, ""],
  [/\b(AKIA|ASIA)[A-Z0-9]{12,}/g, ""],
  [/\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+/g, ""],
  [/(\bbearer\s+)[\w.~+/=-]{8,}/gi, "$1"],
  [/(:\/\/)[^\s/@]+@/g, "$1"],
  [/((?:passw(?:or)?d|passphrase)["']?[ \t]{0,3}[=:][ \t]{0,3}")[^"\n]{4,}/gi, "$1"],
  [/((?:passw(?:or)?d|passphrase)["']?[ \t]{0,3}[=:][ \t]{0,3}')[^'\n]{4,}/gi, "$1"],
  [/((?:passw(?:or)?d|passphrase)["']?[ \t]{0,3}[=:][ \t]{0,3})[^\s"'&]{4,}/gi, "$1"],
  // A word in prose may stand behind these, too: `token: expected`. A secret of a program has a digit in it.
  [
    /((?:secret|credential|(?:api|access|private|secret)[_-]?key|token)["']?[ \t]{0,3}[=:][ \t]{0,3}["']?)(?=[^\s\d]{0,64}\d)[^\s"'&]{6,}/gi,
    "$1",
  ],
  // A variable of a shell: nobody writes prose so.
  [
    /(\b(?:[A-Z0-9]{1,32}_){0,6}(?:SECRET|TOKEN|PASSW(?:OR)?D|CREDENTIALS?|KEY)(?:_[A-Z0-9]{1,32}){0,6}=["']?)[^\s"'&]{4,}/g,
    "$1",
  ],
  // As a command line has it, or a list of its words.
  [
    /([\s"'[,(]--?(?:password|passwd|passphrase|token|api-key|secret)(?:[ =]["']?|["'][ \t]{0,3},[ \t]{0,3}["']))[^\s"']{4,}/gi,
    "$1",
  ],
  [/(\b(?:mysql|mariadb)[\w-]{0,20}\b[^\n|;&]{0,200}?\s-p["']?)[^\s"']{4,}/g, "$1"],
  [/(\bsshpass\s+-p[ \t]{0,3}["']?)[^\s"']{4,}/g, "$1"],
  [/(\bcurl\b[^\n|;&]{0,200}?\s(?:-u|--user)[ =]?["']?[^\s:"']{1,64}:)[^\s"']{4,}/g, "$1"],
];

/** In place of a secret. */
const HIDDEN = "(hidden)";

/** Shorter values are words that stand everywhere. */
const SHORTEST = 6;

/** Whether what goes by this name is kept to oneself. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** The same of a key of the configuration: a number of tokens is no secret. */
export function isSecretKey(key: string): boolean {
  return isSecretName(key.replace(/tokens$/, ""));
}

/** The values of an environment that are secrets, by the names they have. */
export function secretsIn(env: Record<string, string | undefined>): string[] {
  return Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && value.length >= SHORTEST && isSecretName(name) ? [value] : [],
  );
}

/** The text without these secrets and without anything that looks like one. */
export function redact(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets.toSorted((a, b) => b.length - a.length)) clean = clean.replaceAll(secret, HIDDEN);
  for (const [shape, kept] of SHAPES)
    clean = clean.replaceAll(shape, kept === "" ? HIDDEN : `${kept}${HIDDEN}${shape.source.endsWith("@") ? "@" : ""}`);
  return clean;
}
