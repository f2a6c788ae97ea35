import { Backoff, type BackoffOptions } from "./backoff.ts";
import { Code } from "./code.ts";

/** Options of {@link resume}. */
export interface ResumeOptions {
  /** How long a gateway that cannot be reached is left alone. */
  backoff?: Partial<BackoffOptions>;
  /** Tells which errors start the stream again. Default: those with code `UNAVAILABLE`. */
  retry?: (error: unknown) => boolean;
  /** Ends everything when it is aborted. */
  signal?: AbortSignal;
}

/**
 * Goes on with a stream that broke: starts it again, with what was last received, until it ends by itself.
 *
 * ```ts
 * const events = resume<Event>((last, _, signal) => client.json<Request, Event>("pkg.Svc/Watch", { signal }).request({ after: last?.id }));
 * for await (const event of events) show(event);
 * ```
 *
 * It takes any AsyncIterable, that of a Connect client too. The wait between two starts grows until a message comes; it
 * ends when the network comes back or the page is shown again.
 *
 * @param start Starts the stream after `last`, the last message that was received. `attempt` counts from 0.
 */
export async function* resume<T>(
  start: (last: T | undefined, attempt: number, signal: AbortSignal) => AsyncIterable<T>,
  { backoff: options, retry = isUnavailable, signal }: ResumeOptions = {},
): AsyncGenerator<T, void, undefined> {
  const backoff = new Backoff(options);
  const stop = new AbortController();
  const abort = (): void => stop.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  let last: T | undefined;
  try {
    for (let attempt = 0; ; attempt++) {
      backoff.begin();
      try {
        // React Native has no throwIfAborted.
        if (stop.signal.aborted) throw stop.signal.reason;
        for await (const message of start(last, attempt, stop.signal)) {
          backoff.reset();
          last = message;
          yield message;
        }
        return;
      } catch (error) {
        if (stop.signal.aborted || !retry(error)) throw error;
      }
      await backoff.wait(stop.signal);
    }
  } finally {
    signal?.removeEventListener("abort", abort);
    stop.abort();
  }
}

/** Connect's errors have the same numbers. */
function isUnavailable(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === Code.Unavailable;
}
