import { useEffect, useRef, useState } from "react";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { useStream, type StreamStatus } from "grpcws/react";
import { Actions } from "./actions.ts";
import { games } from "./client.ts";
import { PlayerActionSchema, type GameUpdate, type PlayerAction } from "./gen/game/v1/game_pb.ts";
import { EMPTY, reduce, undelivered, type Pending, type Room } from "./room.ts";

export interface RoomStream {
  room: Room;
  status: StreamStatus;
  error: unknown;
  /** What was said here and has not come back yet, oldest first. */
  pending: readonly Pending[];
  say: (text: string) => void;
  retry: () => void;
}

let sequences = 1n;
const action = (init: MessageInitShape<typeof PlayerActionSchema>): PlayerAction => create(PlayerActionSchema, init);

/** Holds the room over one bidi call, `SyncGame`, which is started again whenever it breaks. */
export function useRoom(gameId: string, playerId: string, name: string): RoomStream {
  const actions = useRef<Actions<PlayerAction>>(undefined);
  const [outbox, setOutbox] = useState<readonly Pending[]>([]);
  const known = useRef(EMPTY);
  const { data: room, status, error, restart } = useStream(
    (signal) => {
      actions.current = new Actions();
      actions.current.push(action({ gameId, playerId, action: { case: "join", value: { name } } }));
      return games.syncGame(actions.current, { signal });
    },
    [gameId, playerId, name],
    { initial: known.current, reduce: (room: Room, update: GameUpdate) => reduce(playerId, room, update), resume: { backoff: { initialMs: 1_000, maxMs: 8_000 } } },
  );

  // A restart goes on from what is known: the connections stay in order, and the outbox keeps its meaning.
  useEffect(() => void (known.current = room), [room]);

  const pending = undelivered(outbox, room);

  // What a lost connection took with it is sent again, once the snapshot has shown which part of it had arrived.
  useEffect(() => {
    const unsent = pending.filter(({ sentOn }) => sentOn < room.connection);
    if (status !== "streaming" || (!unsent.length && pending.length === outbox.length)) return;
    for (const { sequence, text } of unsent) actions.current?.push(action({ sequence, action: { case: "say", value: { text } } }));
    setOutbox(pending.map((item) => ({ ...item, sentOn: room.connection })));
  }, [status, room.connection, room.delivered, outbox]);

  const say = (text: string): void => setOutbox((outbox) => [...outbox, { sequence: ++sequences, text, sentOn: 0 }]);
  return { room, status, error, pending, say, retry: restart };
}
