// A Worker that passes a gRPC server stream on as lines of JSON: GET /GAME-ID
import { Client } from "grpcws";

interface Environment {
  /** The gateway, such as https://api.example.com; see wrangler.jsonc. */
  GATEWAY: string;
}

export default {
  async fetch(request: Request, { GATEWAY }: Environment): Promise<Response> {
    const gameId = new URL(request.url).pathname.slice(1);
    // The call ends with the request.
    const events = new Client(GATEWAY).json("game.v1.GameService/Subscribe", { signal: request.signal }).request({ gameId, maxEvents: 1 });
    const lines = new TransformStream<unknown, Uint8Array>({
      transform: (event, controller) => controller.enqueue(new TextEncoder().encode(`${JSON.stringify(event)}\n`)),
    });
    return new Response(events.readable.pipeThrough(lines), { headers: { "content-type": "application/x-ndjson" } });
  },
};
