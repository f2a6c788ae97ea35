import { create } from "@bufbuild/protobuf";
import { pictures } from "./client.ts";
import { UploadRequestSchema, type Picture, type UploadRequest } from "./gen/game/v1/picture_pb.ts";

const PIECE_BYTES = 16 * 1024;

export interface UploadHead {
  gameId: string;
  playerId: string;
  text: string;
}

/**
 * Uploads a file in one client-streaming call. The client asks for a piece when the gateway's window has room for it, so
 * the progress is that of the network, not of a buffer.
 */
export async function upload(file: File, head: UploadHead, onProgress: (part: number) => void, signal: AbortSignal): Promise<void> {
  await pictures.upload(pieces(file, head, onProgress), { signal });
}

async function* pieces(file: File, head: UploadHead, onProgress: (part: number) => void): AsyncGenerator<UploadRequest> {
  yield create(UploadRequestSchema, { part: { case: "head", value: { ...head, mediaType: file.type, size: BigInt(file.size) } } });
  for (let start = 0; start < file.size; start += PIECE_BYTES) {
    const data = new Uint8Array(await file.slice(start, start + PIECE_BYTES).arrayBuffer());
    yield create(UploadRequestSchema, { part: { case: "data", value: data } });
    onProgress(Math.min(1, (start + data.length) / file.size));
  }
}

/** Downloads a picture, and returns a URL for it. */
export async function download({ pictureId, mediaType }: Picture, signal: AbortSignal): Promise<string> {
  const parts: BlobPart[] = [];
  for await (const { data } of pictures.download({ pictureId }, { signal })) parts.push(data as Uint8Array<ArrayBuffer>);
  return URL.createObjectURL(new Blob(parts, { type: mediaType }));
}
