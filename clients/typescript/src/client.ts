import { Call } from "./call.ts";
import { Driver, type Frame } from "./driver.ts";
import { utf8Length } from "./encoding.ts";
import { checkOptions, type CallOptions, type ClientOptions } from "./options.ts";
import type { Mode } from "./session.ts";

const ABSOLUTE = /^(?:http|ws)(s?):\/\/([^/?#@\s]+)(\/[^?#\s]*)?$/;

/**
 * Calls gRPC methods through a grpcws gateway. It holds no socket: each call has one of its own.
 *
 * ```ts
 * const client = new Client("https://api.example.com");
 * for await (const event of client.json("game.v1.Games/Watch").request({ gameId: "7" })) console.log(event);
 * ```
 */
export class Client {
  readonly #base: string;
  readonly #options: ClientOptions;

  /**
   * Makes a client. It opens nothing before the first call.
   *
   * @param url Where the gateway is: `https:` or `wss:`, `http:` or `ws:`; in a page also relative to it. Without a path
   *   the gateway's default prefix `/ws` is taken.
   */
  constructor(url: string | URL, options: ClientOptions = {}) {
    // React Native's URL does not know its parts.
    const parts = ABSOLUTE.exec(`${url}`) ?? (globalThis.location && ABSOLUTE.exec(new URL(url, location.href).href));
    if (!parts) throw new TypeError("the URL of a gateway begins with https:, wss:, http: or ws:, and has no user, query and fragment");
    const [, secure = "", host, path = ""] = parts;
    this.#base = `ws${secure}://${host}${path.replace(/\/+$/, "") || "/ws"}/`;
    checkOptions({ ...options, ...options.backoff });
    this.#options = options;
  }

  /**
   * Calls a method with messages in protobuf's wire format, in `grpcws.v1.proto`.
   *
   * @param method `package.Service/Method`, or the path of a route of the gateway below its prefix.
   */
  call(method: string, options?: CallOptions): Call<Uint8Array, Uint8Array> {
    return new Call(this.#drive(method, "grpcws.v1.proto", options), encodeBinary);
  }

  /**
   * Calls a method with messages in protojson, in `grpcws.v1.json`.
   *
   * @param method `package.Service/Method`, or the path of a route of the gateway below its prefix.
   */
  json<I = unknown, O = unknown>(method: string, options?: CallOptions): Call<I, O> {
    return new Call<I, O>(this.#drive(method, "grpcws.v1.json", options), encodeJson);
  }

  #drive(method: string, mode: Mode, options: CallOptions = {}): Driver {
    checkOptions(options);
    return new Driver(this.#base + method.replace(/^\//, ""), method, mode, this.#options, options);
  }
}

function encodeBinary(message: Uint8Array): Frame {
  // A view of shared memory cannot be sent; what is not shared needs no copy.
  return { data: message as Uint8Array<ArrayBuffer>, size: message.length };
}

function encodeJson(message: unknown): Frame {
  const json: string | undefined = JSON.stringify(message);
  if (json === undefined) throw new TypeError(`${typeof message} is no JSON value`);
  const data = `{"type":"data","data":${json}}`;
  return { data, size: utf8Length(data) };
}
