// A switch that takes this page off the network, so that you can see what it does then. An app of yours has no need for it.
let isOffline = false;
const sockets = new Set<WebSocket>();

/** The browser's WebSocket, which reaches nothing while the switch is off. */
export class SwitchedWebSocket extends WebSocket {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(isOffline ? "ws://127.0.0.1:9/" : url, protocols);
    sockets.add(this);
    this.addEventListener("close", () => sockets.delete(this));
  }
}

/** Cuts all connections, or brings the network back, which the browser would tell by the same event. */
export function setOffline(offline: boolean): void {
  isOffline = offline;
  if (offline) for (const socket of sockets) socket.close();
  else dispatchEvent(new Event("online"));
}
