/** The two sides of a merge that was resolved. Without files it was clean, and red until its check was mended. `isAnew`: what `ours` is was done anew upon `theirs`. */
export type Resolved = { files: string[]; ours: string; theirs: string; isAnew?: true };
