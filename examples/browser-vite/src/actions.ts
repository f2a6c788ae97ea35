/** Request messages for a bidi call, which are sent one by one as the call takes them. */
export class Actions<T> implements AsyncIterable<T> {
  readonly #waiting: T[] = [];
  #wake: () => void = () => {};
  #isClosed = false;

  push(message: T): void {
    this.#waiting.push(message);
    this.#wake();
  }

  /** Half-closes the call behind what waits. */
  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) yield next;
      else if (this.#isClosed) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
