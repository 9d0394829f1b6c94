/** The value that a share `p` (0 to 1) of the values does not exceed, interpolated between neighbours: what R, NumPy and spreadsheets
 *  call the percentile (definition 7 of Hyndman and Fan, "Sample quantiles in statistical packages", 1996). `values` is not empty. */
export function quantile(values: readonly number[], p: number): number {
  return quantileOfSorted(
    values.toSorted((a, b) => a - b),
    p,
  );
}

/** The same for values that ascend already. */
export function quantileOfSorted(sorted: readonly number[], p: number): number {
  const at = (sorted.length - 1) * p;
  const below = Math.floor(at);
  const low = sorted[below]!;
  const high = sorted[below + 1] ?? low;
  return low + (high - low) * (at - below);
}
