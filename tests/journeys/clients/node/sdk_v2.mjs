// The second line of the TypeScript SDK: the 2026 revision.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { endpoint, headers, saveAndSearch } from "./common.mjs";

const client = new Client({ name: "loam-tests-v2", version: "1.0.0" });
await client.connect(new StreamableHTTPClientTransport(endpoint, { requestInit: { headers } }));
await saveAndSearch(client);
