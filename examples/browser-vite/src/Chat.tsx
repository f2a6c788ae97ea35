import { useState, type ReactNode } from "react";
import { textOf } from "./client.ts";
import { Composer } from "./Composer.tsx";
import { Face } from "./Face.tsx";
import { Messages } from "./Messages.tsx";
import { setOffline } from "./network.ts";
import type { Person } from "./room.ts";
import { useRoom } from "./useRoom.ts";
import { useUploads } from "./useUploads.ts";

export function Chat({ gameId, me, name }: { gameId: string; me: string; name: string }): ReactNode {
  const { room, status, error, pending, say, retry } = useRoom(gameId, me, name);
  const { uploads, share, dismiss } = useUploads(gameId, me);
  const isLost = status === "connecting" && room.connection > 0;
  // Who is here is known only while the stream runs.
  const online = status === "streaming" ? room.people.filter(({ isOnline }) => isOnline) : [];
  return (
    <div className="app" data-status={isLost ? "reconnecting" : status}>
      <header>
        <span className="logo" aria-hidden="true" />
        <div className="title">
          <h1>#{gameId}</h1>
          <p>{whoIsHere(status, online.length)}</p>
        </div>
        <Faces people={online} />
        <Network />
      </header>
      <aside aria-label="People">
        <h2>People</h2>
        <People people={room.people} me={me} />
        <footer>
          React · Connect-ES · <b>grpcws</b>
          <br />
          One bidi call is the whole room.
        </footer>
      </aside>
      <main>
        <Banner isLost={isLost} status={status} error={error} waiting={pending.length} retry={retry} />
        <Messages room={room} me={me} pending={pending} uploads={uploads} onDismiss={dismiss} />
        <Composer onSay={say} onShare={share} />
      </main>
    </div>
  );
}

function whoIsHere(status: string, online: number): string {
  if (status === "connecting") return "Connecting…";
  if (status !== "streaming") return "Not connected";
  return online === 1 ? "Only you are here" : `${online} people are here`;
}

/** Says that the stream is down, and what happens next. */
function Banner({ isLost, status, error, waiting, retry }: { isLost: boolean; status: string; error: unknown; waiting: number; retry: () => void }): ReactNode {
  if (status === "error" || status === "ended") {
    return (
      <p className="banner failed" role="alert">
        <span>{error ? textOf(error) : "The stream has ended."}</span>
        <button type="button" onClick={retry}>Connect again</button>
      </p>
    );
  }
  // A screen reader announces what changes in an element that is already there.
  return <div role="status">{status === "connecting" && (isLost ? <Lost waiting={waiting} /> : <Connecting />)}</div>;
}

function Connecting(): ReactNode {
  return (
    <p className="banner late">
      <span className="spinner" aria-hidden="true" />
      <span>Connecting to the room…</span>
    </p>
  );
}

function Lost({ waiting }: { waiting: number }): ReactNode {
  const note = waiting === 0 ? "" : waiting === 1 ? " One message waits here." : ` ${waiting} messages wait here.`;
  return (
    <p className="banner">
      <span className="spinner" aria-hidden="true" />
      <span>
        <b>Connection lost.</b> Reconnecting…{note}
      </span>
    </p>
  );
}

function Network(): ReactNode {
  const [isOnline, setOnline] = useState(true);
  const change = (online: boolean): void => {
    setOnline(online);
    setOffline(!online);
  };
  return (
    <label className="switch" title="Take this page off the network and bring it back">
      <span>Network</span>
      <input type="checkbox" role="switch" checked={isOnline} onChange={(event) => change(event.target.checked)} />
    </label>
  );
}

function Faces({ people }: { people: readonly Person[] }): ReactNode {
  return (
    <div className="faces" aria-hidden="true">
      {people.slice(0, 4).map((person) => <Face key={person.id} {...person} />)}
    </div>
  );
}

function People({ people, me }: { people: readonly Person[]; me: string }): ReactNode {
  const sorted = [...people].sort((a, b) => Number(b.isOnline) - Number(a.isOnline) || a.name.localeCompare(b.name));
  return (
    <ul className="people">
      {sorted.map((person) => (
        <li key={person.id} data-testid="person" data-online={person.isOnline}>
          <Face {...person} />
          <span className="name">{person.name}</span>
          <small>{person.id === me ? "you" : person.isOnline ? "" : "away"}</small>
        </li>
      ))}
    </ul>
  );
}
