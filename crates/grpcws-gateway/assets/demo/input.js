// Steps from the keyboard, the pad and swipes.

const KEYS = new Map([
  ["ArrowUp", "up"], ["ArrowDown", "down"], ["ArrowLeft", "left"], ["ArrowRight", "right"],
  ["KeyW", "up"], ["KeyS", "down"], ["KeyA", "left"], ["KeyD", "right"],
]);
/** Time between two steps of a key that is held. */
const REPEAT_MS = 95;
/** A finger that moves further than this makes a step. */
const SWIPE_PX = 22;

/** Calls `step(direction)` for each step that the player wants. */
export function listen({ board, pad, step }) {
  listenToKeys(step);
  listenToPad(pad, step);
  listenToSwipes(board, step);
}

function listenToKeys(step) {
  let last = 0;
  document.addEventListener("keydown", (event) => {
    const direction = KEYS.get(event.code);
    const typing = event.target.closest?.("input, select, textarea, summary, #log, #feed");
    if (!direction || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (event.repeat && event.timeStamp - last < REPEAT_MS) return;
    last = event.timeStamp;
    step(direction);
  });
}

function listenToPad(pad, step) {
  for (const button of pad.querySelectorAll("button[data-direction]")) {
    let timer = 0;
    const stop = () => clearInterval(timer);
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      stop();
      step(button.dataset.direction);
      timer = setInterval(() => step(button.dataset.direction), REPEAT_MS * 1.6);
    });
    for (const end of ["pointerup", "pointerleave", "pointercancel"]) button.addEventListener(end, stop);
    // A click without a pointer comes from the keyboard or from assistive technology.
    button.addEventListener("click", (event) => event.detail === 0 && step(button.dataset.direction));
    button.addEventListener("contextmenu", (event) => event.preventDefault());
  }
}

function listenToSwipes(board, step) {
  let from = null;
  board.addEventListener("pointerdown", (event) => {
    from = { x: event.clientX, y: event.clientY };
    board.setPointerCapture(event.pointerId);
  });
  board.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [x, y] = [event.clientX - from.x, event.clientY - from.y];
    if (Math.max(Math.abs(x), Math.abs(y)) < SWIPE_PX) return;
    from = { x: event.clientX, y: event.clientY };
    if (Math.abs(x) > Math.abs(y)) step(x > 0 ? "right" : "left");
    else step(y > 0 ? "down" : "up");
  });
  for (const end of ["pointerup", "pointercancel"]) board.addEventListener(end, () => (from = null));
}
