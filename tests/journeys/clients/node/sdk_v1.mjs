// The first line of the TypeScript SDK: the protocol's 2025 revisions.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { endpoint, headers, saveAndSearch } from "./common.mjs";

const client = new Client({ name: "loam-tests-v1", version: "1.0.0" });
await client.connect(new StreamableHTTPClientTransport(endpoint, { requestInit: { headers } }));
await saveAndSearch(client);
