import { defineConfig } from "vite";

// The gateway is behind the page's own origin, as it would be in production, so it need not allow another origin.
const proxy = { "/ws": { target: process.env.GATEWAY ?? "http://127.0.0.1:8080", ws: true } };

export default defineConfig({
  // `grpcws` is a link to another folder of this repository, which has its own copies of these. Your app does not need this line.
  resolve: { dedupe: ["@bufbuild/protobuf", "@connectrpc/connect", "react"] },
  esbuild: { jsx: "automatic" },
  server: { proxy },
  preview: { proxy },
});
