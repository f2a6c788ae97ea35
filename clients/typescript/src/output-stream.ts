// The response messages of a call as protobuf-ts wants them: to callbacks, and to those that iterate.
import type { RpcOutputStream } from "@protobuf-ts/runtime-rpc";

type Next<T> = (message: T | undefined, error: Error | undefined, complete: boolean) => void;

/** One that iterates: holds what it was given until it takes it. */
interface Reader<T> {
  give(result: IteratorResult<T, undefined> | Error): Promise<void>;
}

/**
 * Reads the next message when all who iterate have taken the one before, so that the gateway holds the server back. The
 * first who listens or iterates starts it; until then nothing is read. Callbacks take messages as they come.
 */
export class OutputStream<T extends object> implements RpcOutputStream<T> {
  readonly #source: AsyncIterable<T> & { cancel(): void };
  readonly #toError: (error: unknown) => Error;
  readonly #listeners: Set<Next<T>> = new Set();
  readonly #readers: Set<Reader<T>> = new Set();
  #isStarted = false;
  /** How it ended: an error, or `true`. */
  #end: Error | true | undefined;

  constructor(source: AsyncIterable<T> & { cancel(): void }, toError: (error: unknown) => Error) {
    this.#source = source;
    this.#toError = toError;
  }

  onNext(callback: Next<T>): () => void {
    this.#listeners.add(callback);
    this.#start();
    return () => this.#listeners.delete(callback);
  }
  onMessage(callback: (message: T) => void): () => void {
    return this.onNext((message) => message && callback(message));
  }
  onError(callback: (error: Error) => void): () => void {
    return this.onNext((_, error) => error && callback(error));
  }
  onComplete(callback: () => void): () => void {
    return this.onNext((_, __, isComplete) => isComplete && callback());
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    const given: { result: IteratorResult<T, undefined> | Error; taken: () => void }[] = [];
    let waiting: ((item: (typeof given)[number]) => void) | undefined;
    const settle = async ({ result, taken }: (typeof given)[number]): Promise<IteratorResult<T, undefined>> => {
      taken();
      if (result instanceof Error) throw result;
      return result;
    };
    const reader: Reader<T> = {
      give: (result) =>
        new Promise((taken) => {
          if (waiting) waiting({ result, taken });
          else given.push({ result, taken });
          waiting = undefined;
        }),
    };
    if (this.#end) {
      void reader.give(this.#end === true ? { done: true, value: undefined } : this.#end);
    } else {
      this.#readers.add(reader);
      this.#start();
    }
    return {
      next: () => {
        const item = given.shift();
        if (item) return settle(item);
        if (!this.#readers.has(reader)) return Promise.resolve({ done: true, value: undefined });
        return new Promise<(typeof given)[number]>((resolve) => (waiting = resolve)).then(settle);
      },
      return: async () => {
        this.#readers.delete(reader);
        for (const { taken } of given.splice(0)) taken();
        // Nobody is left who reads, so the call is cancelled.
        if (!this.#readers.size && !this.#listeners.size) this.#source.cancel();
        return { done: true, value: undefined };
      },
    };
  }

  #start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    // Who adds several callbacks in a row misses nothing.
    queueMicrotask(() => void this.#run());
  }

  async #run(): Promise<void> {
    try {
      for await (const value of this.#source) {
        for (const listener of this.#listeners) listener(value, undefined, false);
        await Promise.all([...this.#readers].map((reader) => reader.give({ done: false, value })));
      }
      this.#finish(true);
    } catch (error) {
      this.#finish(this.#toError(error));
    }
  }

  #finish(end: Error | true): void {
    this.#end = end;
    const isComplete = end === true;
    for (const listener of this.#listeners) listener(undefined, isComplete ? undefined : end, isComplete);
    for (const reader of this.#readers) {
      void reader.give(isComplete ? { done: true, value: undefined } : end);
      this.#readers.delete(reader);
    }
  }
}
