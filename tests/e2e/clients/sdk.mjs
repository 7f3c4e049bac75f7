// AWS's JavaScript SDK reads what the AWS CLI has written, pages through it, waits for it, and writes a little itself.
// `node sdk.mjs FILE`, the file of `playbook.py build`; packages come from NODE_PATH.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const proton = createRequire(import.meta.url)("@aws-sdk/client-proton");
const client = new proton.ProtonClient({});
const seen = JSON.parse(readFileSync(process.argv[2], "utf8"));

const camel = (text) => text.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
const pascal = (text) => camel("-" + text);
// Timestamps are numbers on the wire, and dates here.
const plain = (value) =>
  JSON.parse(JSON.stringify(value, function (key, inner) {
    return this[key] instanceof Date ? this[key].getTime() / 1000 : inner;
  }));

function parse(command) {
  const [name, ...flags] = command.split(" ");
  const input = {};
  for (let index = 0; index < flags.length; index += 2) input[camel(flags[index].slice(2))] = flags[index + 1];
  return [name, input];
}

for (const [command, expected] of Object.entries(seen)) {
  const [name, input] = parse(command);
  const { $metadata, nextToken, ...answer } = await client.send(new proton[pascal(name) + "Command"](input));
  assert.equal($metadata.httpStatusCode, 200);
  assert.match($metadata.requestId, /^[0-9a-f-]{36}$/);
  assert.deepEqual(plain(answer), expected, command);
}

const lists = Object.fromEntries(
  Object.keys(seen).filter((command) => command.startsWith("list-")).map((command) => {
    const [name, input] = parse(command);
    return ["paginate" + pascal(name), input];
  }),
);
const paginators = Object.keys(proton).filter((name) => name.startsWith("paginate"));
for (const name of paginators) {
  assert.ok(name in lists, `no command has listed what ${name} pages through`);
  let count = 0;
  for await (const page of proton[name]({ client, pageSize: 1 }, lists[name])) count += Object.keys(page).length;
  assert.ok(count > 0, name);
}

const waiters = {
  ComponentDeleted: { name: "nobody" },
  ComponentDeployed: { name: "voice" },
  EnvironmentDeployed: { name: "dev" },
  EnvironmentTemplateVersionRegistered: { templateName: "network", majorVersion: "1", minorVersion: "0" },
  ServiceCreated: { name: "shop" },
  ServiceDeleted: { name: "nobody" },
  ServiceInstanceDeployed: { serviceName: "shop", name: "first" },
  ServicePipelineDeployed: { name: "shop" },
  ServiceTemplateVersionRegistered: { templateName: "app", majorVersion: "1", minorVersion: "0" },
  ServiceUpdated: { name: "shop" },
};
for (const name of Object.keys(proton).filter((name) => name.startsWith("waitUntil"))) {
  const ended = await proton[name]({ client, maxWaitTime: 20, minDelay: 1, maxDelay: 1 }, waiters[name.slice(9)]);
  assert.equal(ended.state, "SUCCESS", name);
}

await assert.rejects(client.send(new proton.GetServiceCommand({ name: "nobody" })), proton.ResourceNotFoundException);
await assert.rejects(client.send(new proton.GetServiceCommand({ name: "no body" })), proton.ValidationException);

const made = await client.send(new proton.CreateEnvironmentTemplateCommand({ name: "from-javascript" }));
assert.equal(made.environmentTemplate.name, "from-javascript");
await client.send(new proton.DeleteEnvironmentTemplateCommand({ name: "from-javascript" }));

console.log(JSON.stringify({ read: Object.keys(seen).length, paginators: paginators.length, waiters: Object.keys(waiters).length }));
