import { Code, codeName } from "./code.ts";

/** Returns what a close without a terminal message means (PROTOCOL §6.3). It is never a success. */
export function codeForClose(close: number): Code {
  if (close > 4000 && close < 4017) return (close - 4000) as Code;
  if (close === 1003) return Code.InvalidArgument;
  if (close === 1008 || close === 1009) return Code.ResourceExhausted;
  return [1000, 1002, 1007, 1011].includes(close) ? Code.Internal : Code.Unavailable;
}

/** Returns the message for a close without a terminal message. The reason mirrors a status if the gateway knew one. */
export function messageForClose(close: number, reason: string): string {
  const name = `${codeName(codeForClose(close))}: `;
  if (reason.startsWith(name)) return reason.slice(name.length);
  return `the connection ended without a status, close code ${close}${reason && `: ${reason}`}`;
}
