import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { Counter } from "../gen/es/counter_pb";

for await (const { count } of createClient(Counter, createGrpcWebTransport({ baseUrl: "https://a" })).watch({ room: "blue" })) console.log(count);
