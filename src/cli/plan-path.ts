/** A plan named on the command line is a path from where the user stands; the engine counts from the top of that checkout. */
import { realpathSync } from "node:fs";
import { relative } from "node:path";
import type { Engine } from "../engine/engine.ts";
import type { WorkRequest } from "../engine/asked-plan.ts";

export function relativePlan(engine: Engine, request: WorkRequest): WorkRequest {
  if (request.plan === null) return request;
  return { ...request, plan: relative(realpathSync(engine.repo.here), realpathSync(request.plan)) || "." };
}
