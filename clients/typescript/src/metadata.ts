import { Code } from "./code.ts";
import { encodeBase64 } from "./encoding.ts";
import { GrpcWsError } from "./error.ts";

/** Metadata as the gateway sends it: lower-case names to their values. Values of names that end in `-bin` are base64. */
export type Metadata = Readonly<Record<string, readonly string[]>>;

/** One value of metadata. Bytes are for names that end in `-bin`; a string under such a name is base64 already. */
export type MetadataValue = string | Uint8Array;

/** Metadata in any of the forms in which a call takes it. */
export type MetadataInit =
  | Headers
  | Iterable<readonly [string, MetadataValue]>
  | Readonly<Record<string, MetadataValue | readonly MetadataValue[] | undefined>>;

type Names = Map<string, string[]>;

/** The longest handshake that a gateway takes (PROTOCOL §3.3); what is longer cannot succeed. */
const MAX_HANDSHAKE = 16384;

/** Reads metadata that an application gives; throws for what no gateway takes, and names it. */
export function readMetadata(init: MetadataInit | undefined, names: Names): void {
  for (const [key, value] of init && Symbol.iterator in init ? init : Object.entries(init ?? {})) {
    const name = key.toLowerCase();
    const values = ([value].flat() as (MetadataValue | undefined)[]).filter((one) => one !== undefined);
    for (const one of values) {
      const isText = typeof one === "string";
      if (/[^\w.-]|^$/.test(name) || (isText ? /[^ -~]/.test(one) : !name.endsWith("-bin"))) {
        refuse(`${JSON.stringify(key)} is no name of metadata, or its value is not printable ASCII: send bytes under a name that ends in -bin`);
      }
      names.set(name, [...(names.get(name) ?? []), isText ? one : encodeBase64(one)]);
    }
  }
}

/**
 * Returns the sub-protocols that carry token and metadata in the handshake. They are secret: nothing logs them, and no
 * error shows them.
 */
export function subprotocols(mode: string, token: string | undefined, names: Names): string[] {
  const protocols = [mode];
  if (token !== undefined) {
    if (/[^!-~]|^$/.test(token)) refuse("the token is not of visible ASCII characters");
    protocols.push(`grpcws.bearer.${encodeBase64(token)}`);
  }
  if (names.size) protocols.push(`grpcws.metadata.${encodeBase64(JSON.stringify(Object.fromEntries(names)))}`);
  if (protocols.join().length > MAX_HANDSHAKE) refuse(`token and metadata take more than the ${MAX_HANDSHAKE} bytes of a handshake`);
  return protocols;
}

function refuse(reason: string): never {
  throw new GrpcWsError(Code.InvalidArgument, reason, { started: false });
}

/** Reads metadata of the gateway. What is no metadata is passed over: neither messages nor status depend on it. */
export function receivedMetadata(object: unknown): Metadata {
  return Object.fromEntries(
    Object.entries(object ?? {}).flatMap(([name, values]) => {
      const valid = [values].flat().filter((value) => typeof value === "string" && !/[^ -~]/.test(value));
      return valid.length && !/[^0-9a-z_.-]|^$/.test(name) ? [[name, valid]] : [];
    }),
  );
}

/** Formats the time that is left, for `grpc-timeout`: at most eight digits and a unit. */
export function formatTimeout(ms: number): string {
  const left = Math.max(0, Math.ceil(ms));
  return left < 1e8 ? `${left}m` : `${Math.min(Math.ceil(left / 1e3), 99999999)}S`;
}
