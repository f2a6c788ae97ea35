import { defineConfig } from "vite";

// The gateway is behind the page's own origin, as it would be in production: no other origin has to be allowed.
const proxy = { "/ws": { target: process.env.GATEWAY ?? "http://127.0.0.1:8080", ws: true } };

export default defineConfig({
  // `grpcws` is a link to another folder of this repository, which has copies of its own. Yours needs no such line.
  resolve: { dedupe: ["@bufbuild/protobuf", "@connectrpc/connect", "react"] },
  esbuild: { jsx: "automatic" },
  server: { proxy },
  preview: { proxy },
});
