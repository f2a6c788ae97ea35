// Starts programs, reads what they print, and ends them all with this process.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const START_MS = 20_000;
const running = new Set();

/** Ends a program and everything that it started. */
export function end(program, signal = "SIGKILL") {
  try {
    process.kill(-program.pid, signal);
  } catch {
    // The program has ended already.
  }
}

process.on("exit", () => running.forEach((program) => end(program)));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** Starts a program in a process group of its own, which `end` and the end of this process kill. */
export function run(file, parameters, options = {}) {
  const program = spawn(file, parameters, { stdio: ["ignore", "pipe", "pipe"], detached: true, ...options });
  running.add(program);
  program.printed = [];
  program.ended = new Promise((resolve) => {
    program.once("error", (error) => program.printed.push(String(error)) && resolve());
    program.once("exit", resolve);
  });
  program.ended.then(() => running.delete(program));
  for (const stream of [program.stdout, program.stderr].filter(Boolean)) {
    createInterface(stream).on("line", (line) => {
      program.printed.push(line);
      program.emit("line", line);
      if (program.printed.length > 200) program.printed.shift();
    });
  }
  return program;
}

/** Starts a program and waits for the line that matches `pattern`; returns the program and the first group. */
export async function listening(file, parameters, pattern, options) {
  const program = run(file, parameters, options);
  const found = new Promise((resolve) => {
    program.on("line", (line) => pattern.test(line) && resolve(pattern.exec(line)[1]));
  });
  const late = new Promise((resolve) => setTimeout(resolve, START_MS).unref());
  const address = await Promise.race([found, program.ended.then(() => undefined), late]);
  if (address !== undefined) return [program, address];
  end(program);
  throw new Error(`${file} did not print ${pattern}:\n${program.printed.join("\n")}`);
}
