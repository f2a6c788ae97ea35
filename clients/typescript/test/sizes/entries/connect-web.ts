import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { Counter } from "../gen/es/counter_pb";

for await (const { count } of createClient(Counter, createConnectTransport({ baseUrl: "https://a" })).watch({ room: "blue" })) console.log(count);
