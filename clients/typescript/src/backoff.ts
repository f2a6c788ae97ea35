import { checkOptions, MAX_TIMER_MS } from "./options.ts";

/** How long a gateway that cannot be reached is left alone. */
export interface BackoffOptions {
  /** The longest wait after the first failure, in milliseconds. Default: 1 s. */
  initialMs: number;
  /** By what the wait grows with each failure. Default: 1.6. */
  multiplier: number;
  /** The longest wait, in milliseconds. Default: 30 s. */
  maxMs: number;
}

/**
 * Waits that grow with each failure. Each is drawn at random from 0 to its longest (full jitter), so that the clients of
 * a gateway that restarts do not all come back at once.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;
  #since = now();

  constructor(options: Partial<BackoffOptions> = {}) {
    checkOptions(options);
    this.#options = { initialMs: 1_000, multiplier: 1.6, maxMs: 30_000, ...options };
    listen();
  }

  /** An attempt begins. */
  begin(): void {
    this.#since = now();
  }

  /** An attempt succeeded: the next failure is a first one. */
  reset(): void {
    this.#failures = 0;
  }

  /**
   * Waits after a failure. When the network comes back, the page is shown again or comes out of the back-forward cache,
   * the wait ends; if that was just before the failure, and since the attempt began, there is none.
   */
  wait(signal?: AbortSignal): Promise<void> {
    const { initialMs, multiplier, maxMs } = this.#options;
    const longest = Math.min(maxMs, MAX_TIMER_MS, initialMs * multiplier ** this.#failures++);
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        waiting.delete(end);
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, wokeAt >= Math.max(this.#since, now() - JUST_MS) ? 0 : longest * Math.random());
      waiting.add(end);
      signal?.addEventListener("abort", end);
      if (signal?.aborted) end();
    });
  }
}

/** After a page returns from the cache, a socket that died in the meantime is found within that time. */
const JUST_MS = 1_000;

const now = (): number => performance.now();

// One set of listeners for the whole page, from the first use on.
const waiting: Set<() => void> = /* @__PURE__ */ new Set();
let wokeAt = -1;
let isListening = false;

function wake(): void {
  wokeAt = now();
  for (const end of [...waiting]) end();
}

function listen(): void {
  const target: { addEventListener?: (type: string, listener: () => void) => void } = globalThis;
  if (isListening || !target.addEventListener) return;
  isListening = true;
  // `pageshow` comes when a page returns from the back-forward cache. A page that is hidden tries once more, too.
  for (const type of ["online", "pageshow", "visibilitychange"]) target.addEventListener(type, wake);
}
