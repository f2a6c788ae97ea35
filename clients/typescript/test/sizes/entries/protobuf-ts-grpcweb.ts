import { GrpcWebFetchTransport } from "@protobuf-ts/grpcweb-transport";
import { CounterClient } from "../gen/protobuf-ts/counter.client";

for await (const { count } of new CounterClient(new GrpcWebFetchTransport({ baseUrl: "https://a" })).watch({ room: "blue" }).responses) console.log(count);
