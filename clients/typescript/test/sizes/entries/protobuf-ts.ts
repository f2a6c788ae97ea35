import { GrpcWsTransport } from "grpcws/protobuf-ts";
import { CounterClient } from "../gen/protobuf-ts/counter.client";

for await (const { count } of new CounterClient(new GrpcWsTransport({ baseUrl: "https://a" })).watch({ room: "blue" }).responses) console.log(count);
