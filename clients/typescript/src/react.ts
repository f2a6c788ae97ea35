/**
 * Streams in React components: one render for each animation frame, however fast messages come.
 *
 * ```tsx
 * const { data, status } = useStream((signal) => client.watch({ room }, { signal }), [room], {
 *   initial: [] as Message[],
 *   reduce: (messages, message) => [...messages, message],
 * });
 * ```
 *
 * @module
 */
import { useCallback, useEffect, useRef, useState, type DependencyList } from "react";
import { Code, GrpcWsError, resume, type Call, type ResumeOptions } from "./index.ts";

/** Where a stream is: it is `connecting` until its first message, and again while it is started anew. */
export type StreamStatus = "idle" | "connecting" | "streaming" | "ended" | "error";

/** Options of {@link useStream}. */
export interface UseStreamOptions<T, S> {
  /** Makes the new data of the data so far and a message. Default: the message itself. */
  reduce?: (data: S, message: T) => S;
  /** The data before the first message. */
  initial?: S;
  /** Starts the stream again behind the last message when it breaks; `start` is then given that message. */
  resume?: boolean | Omit<ResumeOptions, "signal">;
  /** Whether the stream runs. Default: true. */
  enabled?: boolean;
}

/** What {@link useStream} tells. */
export interface UseStreamResult<S> {
  /** What the messages made of the initial data. */
  data: S;
  /** Where the stream is. */
  status: StreamStatus;
  /** Why the stream ended, if it failed. */
  error: unknown;
  /** Ends the stream and starts it anew, with the initial data. */
  restart: () => void;
}

/** What {@link useCall} tells, and takes. */
export interface UseCallResult<I, S> extends UseStreamResult<S> {
  /** Sends a message; rejects if there is no call. */
  send: (message: I) => Promise<void>;
  /** Says that the last message was sent. */
  halfClose: () => void;
}

/** Shows a stream. It is started when the component is mounted and `deps` change, and aborted when it is not needed. */
export function useStream<T>(
  start: (signal: AbortSignal, last: T | undefined) => AsyncIterable<T>,
  deps: DependencyList,
  options?: Omit<UseStreamOptions<T, T | undefined>, "reduce">,
): UseStreamResult<T | undefined>;
export function useStream<T, S>(
  start: (signal: AbortSignal, last: T | undefined) => AsyncIterable<T>,
  deps: DependencyList,
  options: UseStreamOptions<T, S> & { initial: S },
): UseStreamResult<S>;
export function useStream<T, S>(
  start: (signal: AbortSignal, last: T | undefined) => AsyncIterable<T>,
  deps: DependencyList,
  options: UseStreamOptions<T, S> = {},
): UseStreamResult<S> {
  const { initial, enabled = true } = options;
  const idle: Shown<S> = { data: initial as S, status: "idle", error: undefined };
  const [shown, show] = useState<Shown<S>>(enabled ? { ...idle, status: "connecting" } : idle);
  const [generation, setGeneration] = useState(0);
  useEffect(() => {
    if (!enabled) return show(idle);
    const abort = new AbortController();
    const frames = new Frames(show, { ...idle, status: "connecting" } as Shown<S>);
    // StrictMode unmounts at once what it mounts first: that never gets as far as to open a socket.
    queueMicrotask(() => {
      if (!abort.signal.aborted) void run(start, options, frames, abort.signal);
    });
    return () => {
      abort.abort();
      frames.stop();
    };
    // What `start` uses is named by the caller.
  }, [...deps, enabled, generation]);
  const restart = useCallback(() => setGeneration((generation) => generation + 1), []);
  return { ...shown, restart };
}

/** Shows the responses of a bidi call, and sends its requests. */
export function useCall<I, O>(start: (signal: AbortSignal) => Call<I, O>, deps: DependencyList, options?: Omit<UseStreamOptions<O, O | undefined>, "reduce" | "resume">): UseCallResult<I, O | undefined>;
export function useCall<I, O, S>(start: (signal: AbortSignal) => Call<I, O>, deps: DependencyList, options: Omit<UseStreamOptions<O, S>, "resume"> & { initial: S }): UseCallResult<I, S>;
export function useCall<I, O, S>(start: (signal: AbortSignal) => Call<I, O>, deps: DependencyList, options?: Omit<UseStreamOptions<O, S>, "resume">): UseCallResult<I, S> {
  const call = useRef<Call<I, O>>(undefined);
  const begin = (signal: AbortSignal): Call<I, O> => {
    const started = (call.current = start(signal));
    signal.addEventListener("abort", () => {
      if (call.current === started) call.current = undefined;
    });
    return started;
  };
  const stream = useStream<O, S>(begin, deps, options as UseStreamOptions<O, S> & { initial: S });
  const send = useCallback((message: I) => call.current?.send(message) ?? Promise.reject(new GrpcWsError(Code.FailedPrecondition, "there is no call yet, or no more")), []);
  const halfClose = useCallback(() => void call.current?.halfClose(), []);
  return { ...stream, send, halfClose };
}

type Shown<S> = Omit<UseStreamResult<S>, "restart">;

/** Shows the newest state once in an animation frame. */
class Frames<S> {
  readonly #show: (shown: Shown<S>) => void;
  #shown: Shown<S>;
  #frame: number | undefined;
  #isStopped = false;

  constructor(show: (shown: Shown<S>) => void, shown: Shown<S>) {
    this.#show = show;
    this.#shown = shown;
    show(shown);
  }

  get data(): S {
    return this.#shown.data;
  }

  set(change: Partial<Shown<S>>): void {
    this.#shown = { ...this.#shown, ...change };
    if (this.#isStopped || this.#frame !== undefined) return;
    this.#frame = nextFrame(() => {
      this.#frame = undefined;
      if (!this.#isStopped) this.#show(this.#shown);
    });
  }

  stop(): void {
    this.#isStopped = true;
  }
}

/** React Native and browsers have animation frames; elsewhere a timer does. */
function nextFrame(callback: () => void): number {
  return "requestAnimationFrame" in globalThis ? requestAnimationFrame(callback) : (setTimeout(callback, 16) as unknown as number);
}

async function run<T, S>(
  start: (signal: AbortSignal, last: T | undefined) => AsyncIterable<T>,
  { reduce = (_, message) => message as unknown as S, resume: resumes }: UseStreamOptions<T, S>,
  frames: Frames<S>,
  signal: AbortSignal,
): Promise<void> {
  const again = (last: T | undefined, attempt: number, signal: AbortSignal): AsyncIterable<T> => {
    if (attempt) frames.set({ status: "connecting" });
    return start(signal, last);
  };
  try {
    const stream = resumes ? resume(again, { ...(resumes === true ? {} : resumes), signal }) : start(signal, undefined);
    for await (const message of stream) {
      if (signal.aborted) return;
      frames.set({ data: reduce(frames.data, message), status: "streaming" });
    }
    frames.set({ status: "ended" });
  } catch (error) {
    frames.set({ status: "error", error });
  }
}
