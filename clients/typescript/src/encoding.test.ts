import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { decodeBase64, encodeBase64, utf8Length } from "./encoding.ts";
import { formatTimeout } from "./metadata.ts";

test("base64 is read in all its forms, and refused otherwise", () => {
  for (const text of ["-_8", "+/8", "+/8=", "-_8="]) expect(decodeBase64(text)).toEqual(new Uint8Array([0xfb, 0xff]));
  expect(decodeBase64("")).toEqual(new Uint8Array());
  expect(() => decodeBase64("a b!")).toThrow();
});

test("base64 is written for sub-protocols, and read again", () => {
  for (let length = 0; length < 70; length++) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 89 + length) & 255);
    expect(encodeBase64(bytes)).toMatch(/^[\w-]*$/);
    expect(decodeBase64(encodeBase64(bytes))).toEqual(bytes);
  }
});

test("the length of text is that of its UTF-8", () => {
  for (const text of ["", "abc", "é", "漢字", "😈a😈", "\u07ff\u0800\uffff", "x".repeat(1000)]) expect(utf8Length(text)).toBe(Buffer.byteLength(text));
});

test("timeouts have the form of the vectors, and never more than eight digits", () => {
  const { valid } = JSON.parse(readFileSync(new URL("../../../vectors/timeout.json", import.meta.url), "utf8"));
  for (const { seconds, nanos } of valid) {
    if (nanos % 1e6 === 0) expect(formatTimeout(seconds * 1000 + nanos / 1e6)).toMatch(/^\d{1,8}[mS]$/);
  }
  expect([0, -5, 0.2, 500, 99_999_999, 1e8, 1e13].map(formatTimeout)).toEqual(["0m", "0m", "1m", "500m", "99999999m", "100000S", "99999999S"]);
});
