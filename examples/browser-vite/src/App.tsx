import { useState, type FormEvent, type ReactNode } from "react";
import { Chat } from "./Chat.tsx";

// Each tab is another person. A page without TLS has no crypto.randomUUID.
const me = (sessionStorage.playerId ??= `web-${Math.random().toString(36).slice(2, 12)}`) as string;
const gameId = new URLSearchParams(location.search).get("room") ?? "lobby";

export function App(): ReactNode {
  const [name, setName] = useState<string>(sessionStorage.playerName ?? "");
  return name ? <Chat gameId={gameId} me={me} name={name} /> : <Welcome onName={setName} />;
}

function Welcome({ onName }: { onName: (name: string) => void }): ReactNode {
  const enter = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("name")).trim();
    if (name) onName((sessionStorage.playerName = name));
  };
  return (
    <main className="welcome">
      <form onSubmit={enter}>
        <span className="logo" aria-hidden="true" />
        <h1>Join #{gameId}</h1>
        <p>One bidirectional gRPC stream, in your browser. Open a second tab to talk to yourself.</p>
        <label htmlFor="name">Your name</label>
        <input id="name" name="name" maxLength={24} required autoFocus autoComplete="nickname" placeholder="Ada" />
        <button type="submit">Join</button>
      </form>
    </main>
  );
}
