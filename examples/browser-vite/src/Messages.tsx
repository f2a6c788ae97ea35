import { useEffect, useRef, useState, type ReactNode } from "react";
import { textOf } from "./client.ts";
import { Face } from "./Face.tsx";
import type { Picture } from "./gen/game/v1/picture_pb.ts";
import type { Message, Pending, Room } from "./room.ts";
import { download } from "./upload.ts";
import type { Upload } from "./useUploads.ts";

interface Parameters {
  room: Room;
  me: string;
  pending: readonly Pending[];
  uploads: readonly Upload[];
  onDismiss: (upload: Upload) => void;
}

export function Messages({ room, me, pending, uploads, onDismiss }: Parameters): ReactNode {
  const end = useRef<HTMLDivElement>(null);
  const show = (): void => {
    // `void`, since some browsers return a promise and React takes what an effect returns for its clean-up.
    void end.current?.scrollIntoView({ block: "end" });
  };
  useEffect(show, [room.messages.length, pending.length, uploads.length]);
  const isEmpty = room.connection > 0 && !room.messages.length && !pending.length && !uploads.length;
  return (
    <div className="messages" role="log" aria-label="Messages" tabIndex={0}>
      <ol>
        {isEmpty && <li className="notice">Nobody has said anything yet.</li>}
        {room.messages.map((message, index) =>
          message.author ? (
            <Said key={message.key} message={message} room={room} isMine={message.author.id === me} follows={follows(room.messages[index - 1], message)} onLoad={show} />
          ) : (
            <li key={message.key} className="notice">{message.text}</li>
          ),
        )}
        {pending.map(({ sequence, text }) => (
          <li key={String(sequence)} className="said mine follows pending" data-testid="pending">
            <div className="bubble">{text}</div>
            <small>waiting to be sent</small>
          </li>
        ))}
        {uploads.map((upload) => (
          <Sending key={upload.id} upload={upload} onDismiss={() => onDismiss(upload)} />
        ))}
      </ol>
      <div ref={end} className="end" />
    </div>
  );
}

/** Whether a message needs no name of its own: the same person spoke within the last two minutes. */
const follows = (before: Message | undefined, { author, time }: Message): boolean =>
  before?.author?.id === author?.id && time.getTime() - (before?.time.getTime() ?? 0) < 120_000;

function Said({ message, room, isMine, follows, onLoad }: { message: Message; room: Room; isMine: boolean; follows: boolean; onLoad: () => void }): ReactNode {
  const { author, text, time, picture } = message;
  const color = room.people.find(({ id }) => id === author?.id)?.color ?? 0;
  return (
    <li className={`said${isMine ? " mine" : ""}${follows ? " follows" : ""}`} data-testid="message">
      {!isMine && <Face name={author?.name ?? ""} color={color} />}
      {!follows && (
        <p className="who">
          {isMine ? "You" : author?.name} <time dateTime={time.toISOString()}>{time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}</time>
        </p>
      )}
      {picture ? <Shown picture={picture} text={text} connection={room.connection} onLoad={onLoad} /> : <div className="bubble">{text}</div>}
    </li>
  );
}

/** Shows a picture of the chat, which a server stream downloads. */
function Shown({ picture, text, connection, onLoad }: { picture: Picture; text: string; connection: number; onLoad: () => void }): ReactNode {
  const [url, setUrl] = useState<string>();
  const [error, setError] = useState<string>();
  useEffect(() => {
    if (url) return;
    const abort = new AbortController();
    download(picture, abort.signal).then(
      (url) => (abort.signal.aborted ? URL.revokeObjectURL(url) : setUrl(url)),
      (error: unknown) => abort.signal.aborted || setError(textOf(error)),
    );
    return () => abort.abort();
    // What broke with one connection is fetched again on the next.
  }, [picture.pictureId, connection]);
  useEffect(() => () => void (url && URL.revokeObjectURL(url)), [url]);
  if (error && !url) return <div className="bubble">{text} <small>({error})</small></div>;
  return <figure className="picture">{url ? <img src={url} alt={text} onLoad={onLoad} /> : <span className="loading" />}<figcaption>{text}</figcaption></figure>;
}

/** An upload under way. */
function Sending({ upload: { name, size, preview, progress, error }, onDismiss }: { upload: Upload; onDismiss: () => void }): ReactNode {
  const percent = Math.floor(progress * 100);
  return (
    <li className="said mine sending" data-testid="upload" data-failed={!!error} aria-live="off">
      <img src={preview} alt="" />
      <div>
        <b>{name}</b>
        <small role={error ? "alert" : undefined}>{error ?? `${percent} % of ${size < 1e6 ? `${Math.ceil(size / 1e3)} kB` : `${(size / 1e6).toFixed(1)} MB`}`}</small>
        {!error && <progress value={progress} max={1} aria-label={`Upload of ${name}`} />}
      </div>
      <button type="button" className="round" aria-label={error ? `Dismiss ${name}` : `Cancel the upload of ${name}`} onClick={onDismiss}>
        <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M7 7l10 10M17 7 7 17" /></svg>
      </button>
    </li>
  );
}
