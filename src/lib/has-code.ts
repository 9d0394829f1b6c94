/** System errors, by their names. */

/** Whether an error is a system error of this name. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
