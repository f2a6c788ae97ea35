// Takes this page off the network, so that you can see what it does then. Your app does not need this file.
let isOffline = false;
const sockets = new Set<WebSocket>();

/** The browser's WebSocket; it reaches nothing while the switch is off. */
export class SwitchedWebSocket extends WebSocket {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(isOffline ? "ws://127.0.0.1:9/" : url, protocols);
    sockets.add(this);
    this.addEventListener("close", () => sockets.delete(this));
  }
}

/** Cuts all connections, or brings the network back: a browser sends the same event then. */
export function setOffline(offline: boolean): void {
  isOffline = offline;
  if (offline) for (const socket of sockets) socket.close();
  else dispatchEvent(new Event("online"));
}
