import { createClient } from "graphql-ws";

const client = createClient({ url: "wss://a" });
for await (const { data } of client.iterate<{ watch: { count: number } }>({ query: 'subscription { watch(room: "blue") { count } }' })) console.log(data?.watch.count);
