import { createRpc } from "grpcws/ts-proto";
import { CounterClientImpl } from "../gen/ts-proto/counter";

for await (const { count } of new CounterClientImpl(createRpc("https://a")).Watch({ room: "blue" })) console.log(count);
