/** Bytes that arrive piece by piece, as one buffer at any time. It grows by doubling: joined anew with each piece, a large answer costs the square of its size. */
export class Gathered {
  #room: Buffer = Buffer.alloc(0);
  #used = 0;

  /** All that arrived so far, this piece included. It stays as it is when more arrives. */
  add(piece: Buffer): Buffer {
    if (this.#used === 0) {
      this.#room = piece;
    } else if (this.#used + piece.length > this.#room.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#room.length * 2, this.#used + piece.length));
      this.#room.copy(larger, 0, 0, this.#used);
      this.#room = larger;
    }
    if (this.#room !== piece) piece.copy(this.#room, this.#used);
    this.#used += piece.length;
    return this.#room.subarray(0, this.#used);
  }
}
