import { Code } from "./code.ts";
import type { Driver, Frame } from "./driver.ts";
import { GrpcWsError, toError, type Status } from "./error.ts";
import type { Metadata } from "./metadata.ts";

/** Cancels a call when it is garbage-collected, in runtimes that have a FinalizationRegistry. */
const forgotten = /* @__PURE__ */ watchForgotten();

function watchForgotten(): FinalizationRegistry<Driver> | undefined {
  if (!globalThis.FinalizationRegistry) return undefined;
  return new FinalizationRegistry((driver) => {
    try {
      driver.cancel("the call was forgotten");
    } catch {
      // workerd permits nothing outside of a request; there the call ends with its request.
    }
  });
}

/**
 * A running call of any of the four kinds.
 *
 * ```ts
 * await client.json("pkg.Svc/Unary").request(x).response();             // unary
 * for await (const e of client.json("pkg.Svc/Watch").request(x)) {}     // server streaming
 * const call = client.json("pkg.Svc/Upload");                           // client streaming
 * await call.send(a); await call.send(b); await call.halfClose().response();
 * ```
 *
 * For bidi, `send` beside a `for await` over the call.
 */
export class Call<I, O> implements AsyncIterable<O> {
  readonly #driver: Driver;
  readonly #encode: (message: I) => Frame;
  #iterator: AsyncIterator<O, undefined> | undefined;
  #readable: ReadableStream<O> | undefined;
  #writable: WritableStream<I> | undefined;

  /** @internal Calls are made by a `Client`. */
  constructor(driver: Driver, encode: (message: I) => Frame) {
    this.#driver = driver;
    this.#encode = encode;
    forgotten?.register(this, driver);
  }

  /**
   * Sends a request message. Resolves when the next one may be sent, as the gateway's window admits; rejects when the
   * call is over. Wait for it between many messages, or they queue up here.
   */
  send(message: I): Promise<void> {
    let frame: Frame = { data: "", size: 0 };
    try {
      frame = this.#encode(message);
    } catch (error) {
      this.#driver.fail(toError(error, Code.InvalidArgument, "the request message does not serialize"));
    }
    // After the failure it rejects.
    return this.#driver.send(frame);
  }

  /** Says that the last request message was sent. Responses go on. */
  halfClose(): this {
    this.#driver.halfClose();
    return this;
  }

  /** Sends the one request message of a unary or server-streaming method. */
  request(message: I): this {
    void this.send(message);
    return this.halfClose();
  }

  /** The one response message of a unary or client-streaming method. Rejects unless the call ends with OK. */
  async response(): Promise<O> {
    const driver = this.#driver;
    const first = await driver.read();
    const second = first && (await driver.read());
    if (driver.outcome) throw driver.outcome;
    if (first && !second) return first.message as O;
    const error = new GrpcWsError(Code.Unimplemented, `${first ? "a second" : "no"} response message where there is to be one`);
    driver.fail(error);
    throw error;
  }

  /**
   * Sends all messages of a source, then half-closes. If the source throws, the call is cancelled, never half-closed: a
   * server must not take half of the messages for all. Rejects if the call fails; resolves early if it ends with OK.
   */
  pipe(messages: Iterable<I> | AsyncIterable<I>): Promise<void> {
    // A source that has nothing more to say does not keep the call's end from being told.
    const piped = Promise.race([this.#pipe(messages), this.#driver.status]).then(() => {
      if (this.error) throw this.error;
    });
    // The caller need not handle it: the outcome says the same.
    piped.catch(() => {});
    return piped;
  }

  async #pipe(messages: Iterable<I> | AsyncIterable<I>): Promise<void> {
    try {
      for await (const message of messages) {
        if (this.#driver.isOver) break;
        await this.send(message);
      }
      this.halfClose();
    } catch (error) {
      this.#driver.fail(toError(error, Code.Cancelled, "the source of the request messages failed"));
    }
  }

  /** Cancels the call, at once: it ends with `CANCELLED`, and with the reason as the error's `cause`. */
  cancel(reason?: unknown): void {
    this.#driver.cancel(reason);
  }

  /** The response headers, or none if the call ended without. Never rejects. */
  get headers(): Promise<Metadata> {
    return this.#held(this.#driver.headers);
  }

  /** The trailers, once the call is over. Never rejects. */
  get trailers(): Promise<Metadata> {
    return this.status.then((status) => status.trailers);
  }

  /** How the call ended, once it has. Never rejects. */
  get status(): Promise<Status> {
    return this.#held(this.#driver.status);
  }

  /** Why the call failed, once it has. */
  get error(): GrpcWsError | undefined {
    return this.#driver.outcome ?? undefined;
  }

  /** The response messages. To leave the loop cancels the call; so does to forget it. */
  [Symbol.asyncIterator](): AsyncIterator<O, undefined> {
    let isLeft = false;
    return (this.#iterator ??= {
      next: async (): Promise<IteratorResult<O, undefined>> => {
        const item = await this.#driver.read();
        if (item) return { done: false, value: item.message as O };
        if (this.error && !isLeft) throw this.error;
        return { done: true, value: undefined };
      },
      return: async (): Promise<IteratorResult<O, undefined>> => {
        isLeft = true;
        this.cancel();
        return { done: true, value: undefined };
      },
    });
  }

  /** The response messages as a stream. It errors if the call fails; to cancel it cancels the call. */
  get readable(): ReadableStream<O> {
    return (this.#readable ??= new ReadableStream<O>(
      {
        pull: async (controller) => {
          const item = await this.#driver.read();
          if (item) controller.enqueue(item.message as O);
          else if (this.error) controller.error(this.error);
          else controller.close();
        },
        cancel: (reason) => this.cancel(reason),
      },
      { highWaterMark: 0 },
    ));
  }

  /** The request messages as a stream. To close it half-closes, to abort it cancels the call. */
  get writable(): WritableStream<I> {
    return (this.#writable ??= new WritableStream<I>({
      write: (message) => this.send(message),
      close: () => void this.halfClose(),
      abort: (reason) => this.cancel(reason),
    }));
  }

  /** Cancels the call if it runs, and waits for its end: for `await using`, in runtimes that have it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.cancel();
    await this.status;
  }

  /** Who waits for the promise holds the call, which is then not forgotten. */
  #held<T>(promise: Promise<T>): Promise<T> {
    return promise.then((value) => (this.#driver, value));
  }
}
