// What the updates of `SyncGame` make of the room.
import { timestampDate, type Timestamp } from "@bufbuild/protobuf/wkt";
import { Presence, type Chat, type GameEvent, type GameUpdate, type Player } from "./gen/game/v1/game_pb.ts";
import type { Picture } from "./gen/game/v1/picture_pb.ts";

export interface Person {
  id: string;
  name: string;
  color: number;
  isOnline: boolean;
}

export interface Message {
  key: string;
  /** Who said it; nobody said a notice. */
  author?: { id: string; name: string };
  text: string;
  time: Date;
  picture?: Picture;
}

export interface Room {
  people: readonly Person[];
  messages: readonly Message[];
  /** How often the stream began: each begins with a snapshot. */
  connection: number;
  /** The highest sequence of this person's own actions that came back. */
  delivered: bigint;
  /** What this person said and the last snapshot was the first to tell of. */
  regained: readonly string[];
}

/** Something said here that may not have reached the room yet. */
export interface Pending {
  sequence: bigint;
  text: string;
  /** The number of the connection that it was sent on; 0 before. */
  sentOn: number;
}

export const EMPTY: Room = { people: [], messages: [], connection: 0, delivered: 0n, regained: [] };

/** The room after an update, as the person with the id `me` sees it. */
export function reduce(me: string, room: Room, { update }: GameUpdate): Room {
  return update.case === "event" ? apply(me, room, update.value) : room;
}

function apply(me: string, before: Room, { event, playerId, sequence, time }: GameEvent): Room {
  const room = playerId === me && sequence > before.delivered ? { ...before, delivered: sequence } : before;
  const person = room.people.find(({ id }) => id === playerId);
  switch (event.case) {
    case "snapshot": {
      const said = event.value.recentChat.map(message);
      const fresh = said.filter(({ key }) => room.messages.every((known) => known.key !== key));
      return {
        ...room,
        people: event.value.players.map(toPerson),
        messages: [...room.messages, ...fresh],
        connection: room.connection + 1,
        regained: fresh.filter(({ author, picture }) => author?.id === me && !picture).map(({ text }) => text),
      };
    }
    case "joined": {
      if (!event.value.player) return room;
      const joined = toPerson(event.value.player);
      const people = [...room.people.filter(({ id }) => id !== joined.id), joined];
      return person || joined.id === me ? { ...room, people } : notice({ ...room, people }, `${joined.name} joined`, time);
    }
    case "left":
      return notice({ ...room, people: room.people.filter(({ id }) => id !== playerId) }, person && `${person.name} left`, time);
    case "presenceChanged": {
      const isOnline = event.value.presence === Presence.ONLINE;
      const people = room.people.map((other) => (other.id === playerId ? { ...other, isOnline } : other));
      return notice({ ...room, people }, playerId !== me && person && `${person.name} is ${isOnline ? "back" : "away"}`, time);
    }
    case "chat":
      return { ...room, messages: [...room.messages, message(event.value)] };
    default:
      return room;
  }
}

/** The part of an outbox that has not come back, neither as an event nor, after a lost connection, in the snapshot. */
export function undelivered(outbox: readonly Pending[], { delivered, connection, regained }: Room): readonly Pending[] {
  const unmatched = [...regained];
  return outbox.filter(({ sequence, text, sentOn }) => {
    if (sequence <= delivered) return false;
    const index = sentOn && sentOn < connection ? unmatched.indexOf(text) : -1;
    // Each message of the snapshot stands for one of the outbox, even if the same words were said twice.
    if (index >= 0) unmatched.splice(index, 1);
    return index < 0;
  });
}

const toPerson = ({ playerId: id, name, color, presence }: Player): Person => ({ id, name, color, isOnline: presence === Presence.ONLINE });

function message({ playerId, name, text, time, picture }: Chat): Message {
  const key = `${playerId} ${time?.seconds}.${time?.nanos}`;
  return { key, author: { id: playerId, name }, text, time: toDate(time), ...(picture ? { picture } : {}) };
}

function notice(room: Room, text: string | false | undefined, time: Timestamp | undefined): Room {
  if (!text) return room;
  return { ...room, messages: [...room.messages, { key: `${text} ${time?.seconds}.${time?.nanos}`, text, time: toDate(time) }] };
}

const toDate = (time: Timestamp | undefined): Date => (time ? timestampDate(time) : new Date());
