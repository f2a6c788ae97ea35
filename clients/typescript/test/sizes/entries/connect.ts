import { createClient } from "@connectrpc/connect";
import { createGrpcWsTransport } from "grpcws/connect";
import { Counter } from "../gen/es/counter_pb";

for await (const { count } of createClient(Counter, createGrpcWsTransport({ baseUrl: "https://a" })).watch({ room: "blue" })) console.log(count);
