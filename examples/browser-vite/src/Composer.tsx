import { useRef, type FormEvent, type ReactNode } from "react";

export function Composer({ onSay, onShare }: { onSay: (text: string) => void; onShare: (file: File) => void }): ReactNode {
  const files = useRef<HTMLInputElement>(null);
  const send = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    // The server refuses control characters, which a paste may bring.
    const text = String(new FormData(event.currentTarget).get("text")).replace(/\p{Cc}/gu, " ").trim();
    if (text) onSay(text);
    event.currentTarget.reset();
  };
  return (
    <form className="composer" onSubmit={send}>
      <button type="button" className="round" aria-label="Share a picture" onClick={() => files.current?.click()}>
        <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 5v14M5 12h14" /></svg>
      </button>
      <input
        ref={files} type="file" accept="image/png,image/jpeg,image/gif,image/webp" hidden
        onChange={(event) => {
          for (const file of event.target.files ?? []) onShare(file);
          event.target.value = "";
        }}
      />
      <input name="text" maxLength={200} autoComplete="off" placeholder="Say something" aria-label="Message" />
      <button type="submit" className="round send" aria-label="Send">
        <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M5 12h13M12 5.5 18.5 12 12 18.5" /></svg>
      </button>
    </form>
  );
}
