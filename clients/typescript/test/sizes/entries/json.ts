import { Client } from "grpcws";

for await (const { count } of new Client("https://a").json<object, { count: number }>("example.v1.Counter/Watch").request({ room: "blue" })) console.log(count);
