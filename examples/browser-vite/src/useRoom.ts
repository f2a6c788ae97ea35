import { useEffect, useRef, useState } from "react";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { useStream, type StreamStatus } from "grpcws/react";
import { Actions } from "./actions.ts";
import { games } from "./client.ts";
import { PlayerActionSchema, type GameUpdate, type PlayerAction } from "./gen/game/v1/game_pb.ts";
import { EMPTY, reduce, type Room } from "./room.ts";

export interface Pending {
  sequence: bigint;
  text: string;
  /** The number of the connection that it was sent on; 0 before. */
  sentOn: number;
}

export interface RoomStream {
  room: Room;
  status: StreamStatus;
  error: unknown;
  /** What was said here and has not come back yet. */
  pending: readonly Pending[];
  say: (text: string) => void;
  retry: () => void;
}

let sequences = 1n;
const action = (init: MessageInitShape<typeof PlayerActionSchema>): PlayerAction => create(PlayerActionSchema, init);

/** The room over one bidi call, `SyncGame`, which goes on whenever the network does. */
export function useRoom(gameId: string, playerId: string, name: string): RoomStream {
  const actions = useRef<Actions<PlayerAction>>(undefined);
  const [outbox, setOutbox] = useState<readonly Pending[]>([]);
  const { data: room, status, error, restart } = useStream(
    (signal) => {
      actions.current = new Actions();
      actions.current.push(action({ gameId, playerId, action: { case: "join", value: { name } } }));
      return games.syncGame(actions.current, { signal });
    },
    [gameId, playerId, name],
    { initial: EMPTY, reduce: (room: Room, update: GameUpdate) => reduce(playerId, room, update), resume: { backoff: { initialMs: 1_000, maxMs: 8_000 } } },
  );

  const pending = outbox.filter(({ sequence, text, sentOn }) => sequence > room.delivered && !(sentOn && sentOn < room.connection && room.regained.includes(text)));

  // What a lost connection took with it goes out again once the snapshot has told what of it had arrived.
  useEffect(() => {
    const unsent = pending.filter(({ sentOn }) => sentOn < room.connection);
    if (status !== "streaming" || (!unsent.length && pending.length === outbox.length)) return;
    for (const { sequence, text } of unsent) actions.current?.push(action({ sequence, action: { case: "say", value: { text } } }));
    setOutbox(pending.map((item) => ({ ...item, sentOn: room.connection })));
  }, [status, room.connection, room.delivered, outbox]);

  const say = (text: string): void => setOutbox((outbox) => [...outbox, { sequence: ++sequences, text, sentOn: 0 }]);
  return { room, status, error, pending, say, retry: restart };
}
