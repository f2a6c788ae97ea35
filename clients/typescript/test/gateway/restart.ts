// A hundred streams that `resume` holds, over restarts of the gateway: what `restart.mjs` runs.
import WebSocket from "ws";
import { Client, resume, type WebSocketConstructor } from "../../src/index.ts";

const STREAMS = 100;
const MESSAGES = 240;
const PER_SECOND = 40;

interface Tick {
  sequence: string;
}

/** When each stream was started again, in milliseconds since the first loss of a connection. */
export interface Report {
  sequences: number[][];
  restarts: number[];
}

export async function streams(url: string, onOpen: () => void): Promise<Report> {
  const client = new Client(url, { WebSocket: WebSocket as unknown as WebSocketConstructor });
  const restarts: number[] = [];
  let lost: number | undefined;
  let open = 0;
  const follow = async (): Promise<number[]> => {
    const sequences: number[] = [];
    const stream = resume<Tick>((last, attempt, signal) => {
      if (attempt) restarts.push(performance.now() - (lost ??= performance.now()));
      const first = Number(last?.sequence ?? 0) + 1;
      const request = { firstSequence: String(first), count: String(MESSAGES - first + 1), rate: PER_SECOND, flushEach: true };
      return client.json<object, Tick>("grpcws.test.v1.TestService/ServerStream", { signal }).request(request);
    }, { backoff: { initialMs: 500 } });
    for await (const { sequence } of stream) {
      if (sequences.push(Number(sequence)) === 1 && ++open === STREAMS) onOpen();
    }
    return sequences;
  };
  const sequences = await Promise.all(Array.from({ length: STREAMS }, follow));
  return { sequences, restarts };
}
