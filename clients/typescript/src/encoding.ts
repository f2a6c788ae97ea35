/** Decodes base64 in all its forms: standard or URL-safe alphabet, padded or not. Throws if the text is not base64. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));
}

/** Encodes bytes as base64url without padding; strings are ASCII. A sub-protocol has no room for `+`, `/` and `=`. */
export function encodeBase64(content: Uint8Array | string): string {
  let text = content as string;
  if (typeof content !== "string") {
    text = "";
    for (const byte of content) text += String.fromCharCode(byte);
  }
  return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

/** Counts the bytes of well-formed text in UTF-8, which is what a window counts: each half of a pair is two of four. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) length += unit < 0x800 || (unit & 0xf800) === 0xd800 ? 1 : 2;
  }
  return length;
}
