import { useState } from "react";
import { textOf } from "./client.ts";
import { upload } from "./upload.ts";

export interface Upload {
  id: number;
  name: string;
  size: number;
  /** A URL of the file itself. */
  preview: string;
  /** From 0 to 1. */
  progress: number;
  error?: string;
  abort: AbortController;
}

let ids = 0;

/** Holds the uploads under way. A complete one is removed: its picture is in the chat by then. */
export function useUploads(gameId: string, playerId: string) {
  const [uploads, setUploads] = useState<readonly Upload[]>([]);
  const change = (id: number, part: Partial<Upload>): void =>
    setUploads((uploads) => uploads.map((one) => (one.id === id ? { ...one, ...part } : one)));

  const remove = ({ id, preview }: Upload): void => {
    URL.revokeObjectURL(preview);
    setUploads((uploads) => uploads.filter((one) => one.id !== id));
  };

  const share = async (file: File): Promise<void> => {
    const abort = new AbortController();
    const one = { id: ++ids, name: file.name, size: file.size, preview: URL.createObjectURL(file), progress: 0, abort };
    setUploads((uploads) => [...uploads, one]);
    try {
      await upload(file, { gameId, playerId, text: file.name.slice(0, 200) }, (progress) => change(one.id, { progress }), abort.signal);
      remove(one);
    } catch (error) {
      if (abort.signal.aborted) remove(one);
      else change(one.id, { error: textOf(error) });
    }
  };

  /** Cancels an upload, or removes one that failed. */
  const dismiss = (one: Upload): void => {
    if (one.error) remove(one);
    else one.abort.abort();
  };
  return { uploads, share, dismiss };
}
