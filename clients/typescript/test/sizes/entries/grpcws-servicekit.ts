import { GRPCWSClient } from "grpcws/servicekit";

const client = new GRPCWSClient();
client.onMessage = (message) => console.log((message as { count: number }).count);
await client.connect("wss://a/ws/example.v1.Counter/Watch");
client.send({ room: "blue" });
