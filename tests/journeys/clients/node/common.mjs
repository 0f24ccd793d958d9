// What each client script does once it is connected: save a memory, find it again, print what was found.
export const endpoint = new URL(process.env.LOAM_MCP);
export const headers = { Authorization: `Bearer ${process.env.LOAM_API_KEY}` };

export async function saveAndSearch(client) {
  const tools = (await client.listTools()).tools.map((tool) => tool.name);
  const saved = await client.callTool({
    name: "memory_save",
    arguments: { atoms: [{ content: "The office moved to Lisbon in May." }] },
  });
  const found = await client.callTool({ name: "memory_search", arguments: { query: "where is the office?" } });
  console.log(JSON.stringify({ tools, saved: saved.structuredContent, found: found.structuredContent }));
  await client.close();
}
