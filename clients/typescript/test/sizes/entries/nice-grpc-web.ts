import { createChannel, createClient, WebsocketTransport } from "nice-grpc-web";
import { CounterDefinition } from "../gen/nice/counter";

const client = createClient(CounterDefinition, createChannel("https://a", WebsocketTransport()));
for await (const { count } of client.watch({ room: "blue" })) console.log(count);
