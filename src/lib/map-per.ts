/** A map for each owner, remembered as long as the owner is. */
export class MapPer<O extends object, K, V> {
  readonly #maps = new WeakMap<O, Map<K, V>>();

  /** That of this owner: the same at each call. */
  of(owner: O): Map<K, V> {
    const map = this.#maps.get(owner) ?? new Map<K, V>();
    this.#maps.set(owner, map);
    return map;
  }
}
