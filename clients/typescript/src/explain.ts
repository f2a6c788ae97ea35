// Why a WebSocket was refused, which a page is not told by the WebSocket itself (PROTOCOL §3.5).
import { Code } from "./code.ts";
import { GrpcWsError } from "./error.ts";
import { readError, type GatewayMessage } from "./message.ts";
import type { Refusal } from "./options.ts";

/** How long the gateway may take to answer. */
const PATIENCE_MS = 5_000;

/**
 * Asks the gateway by HTTP why it refused a WebSocket, and returns an error that says it: for the option `explain` of a
 * `Client`. The error has the status that the gateway names, such as `UNIMPLEMENTED` for a path that is no route; what
 * has none stays `UNAVAILABLE`.
 *
 * ```ts
 * const client = new Client("https://api.example.com", { explain: explainRefusal });
 * ```
 */
export async function explainRefusal({ url, protocols, signal }: Refusal): Promise<GrpcWsError> {
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  const timer = setTimeout(abort, PATIENCE_MS);
  signal.addEventListener("abort", abort);
  try {
    return await ask(url.replace(/^ws/, "http"), protocols, stop.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
    abort();
  }
}

async function ask(url: string, protocols: readonly string[], signal: AbortSignal): Promise<GrpcWsError> {
  // Workers have neither cookies nor origins, and refuse to be told so.
  const inPage: RequestInit = globalThis.location ? { credentials: "include", cache: "no-store" } : {};
  const options: RequestInit = { signal, redirect: "manual", ...inPage };
  let response: Response;
  try {
    response = await fetch(url, { ...options, headers: { "grpcws-protocol": protocols.join(", ") } });
  } catch {
    return refusal(Code.Unavailable, await whyUnreadable(url, options));
  }
  const { status } = response;
  if (status === 426) {
    return refusal(
      Code.Unavailable,
      "the gateway accepts the path and the credentials: a proxy does not pass upgrades on, 200 WebSockets are open, or the cause is over",
    );
  }
  // A page of some other server is not read.
  const isJson = response.headers.get("content-type")?.startsWith("application/json");
  const message = isJson && ((await response.json().catch(() => null)) as GatewayMessage | null);
  const answer = `(HTTP ${status || "redirect"})`;
  if (!message || message.type !== "error") return refusal(Code.Unavailable, `what answers at ${url} is not a gateway ${answer}`);
  const { code, rawMessage } = readError(message);
  return refusal(code, `${rawMessage} ${answer}`);
}

/** A page may not read the answers of a gateway that does not allow its origin, but it is told that there was one. */
async function whyUnreadable(url: string, options: RequestInit): Promise<string> {
  try {
    // Not elsewhere than in a page: there is no such rule, so nothing else would come of it.
    if (globalThis.location && (await fetch(url, { ...options, redirect: "follow", mode: "no-cors" }))) {
      return `the gateway does not allow the origin ${location.origin} of this page, or what answers is not a gateway`;
    }
  } catch {
    // As the first time.
  }
  return `nothing answers at ${url}: check address, port, certificate and network`;
}

function refusal(code: Code, message: string): GrpcWsError {
  return new GrpcWsError(code, `the WebSocket was refused: ${message}`, { close: { code: 1006, reason: "" }, started: false });
}
