/** Logins of Claude Code, and how their limits are told to it. */
import type { ApiError } from "./fake-api.ts";

/** What the API of a subscription answers when its five hours are used up; headers as measured. */
export function usageLimit(resetsAt: number): ApiError {
  const name = "anthropic-ratelimit-unified";
  const headers = {
    [`${name}-status`]: "rejected",
    [`${name}-reset`]: String(resetsAt),
    [`${name}-representative-claim`]: "five_hour",
    [`${name}-5h-status`]: "rejected",
    [`${name}-5h-reset`]: String(resetsAt),
    [`${name}-5h-utilization`]: "1.0",
    "retry-after": "3600",
  };
  return { status: 429, type: "rate_limit_error", message: "This request would exceed your rate limit.", headers };
}

/** The file in which Claude Code keeps a login by `/login`. */
export function credentials(accessToken: string): string {
  const claudeAiOauth = {
    accessToken,
    refreshToken: "sk-ant-ort01-dummy",
    expiresAt: Date.now() + 8 * 60 * 60 * 1_000,
    scopes: ["user:inference", "user:profile"],
    subscriptionType: "max",
    rateLimitTier: "default_claude_max_20x",
  };
  return JSON.stringify({ claudeAiOauth });
}
