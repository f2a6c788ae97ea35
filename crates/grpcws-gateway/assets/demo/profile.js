// Who plays: an id for the tab, a name and a color that stay.

export const COLORS = ["red", "orange", "yellow", "green", "teal", "blue", "purple", "pink"];

const ADJECTIVES = ["Brave", "Calm", "Clever", "Gentle", "Happy", "Lucky", "Quick", "Quiet", "Swift", "Witty"];
const ANIMALS = ["Badger", "Falcon", "Fox", "Heron", "Lynx", "Marten", "Otter", "Owl", "Panda", "Wren"];

const pick = (list) => list[crypto.getRandomValues(new Uint32Array(1))[0] % list.length];
const randomId = () => "p-" + [...crypto.getRandomValues(new Uint8Array(5))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** The game of this page's address; any other text than an id is shown as what the server says about it. */
export const gameId = new URL(location.href).searchParams.get("game") || "lobby";

/** Reads the player of this tab, or makes one up. */
export async function loadProfile() {
  const stored = read();
  const profile = {
    id: stored.id ?? randomId(),
    name: stored.name ?? `${pick(ADJECTIVES)} ${pick(ANIMALS)}`,
    color: COLORS.includes(stored.color) ? stored.color : pick(COLORS),
  };
  // A duplicated tab has a copy of the storage, and would be the same player twice.
  if (stored.id && (await isTaken(stored.id))) profile.id = randomId();
  holdId(profile.id);
  saveProfile(profile);
  return profile;
}

export function saveProfile(profile) {
  try {
    sessionStorage.setItem("player", JSON.stringify(profile));
  } catch {
    // Without storage the player is new after a reload.
  }
}

function read() {
  try {
    return JSON.parse(sessionStorage.getItem("player")) ?? {};
  } catch {
    return {};
  }
}

const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("grpcws-demo-players") : null;

function holdId(id) {
  channel?.addEventListener("message", ({ data }) => data.asks === id && channel.postMessage({ holds: id }));
}

function isTaken(id) {
  if (!channel) return false;
  return new Promise((resolve) => {
    const answer = ({ data }) => data.holds === id && resolve(true);
    channel.addEventListener("message", answer);
    channel.postMessage({ asks: id });
    setTimeout(() => {
      channel.removeEventListener("message", answer);
      resolve(false);
    }, 80);
  });
}
