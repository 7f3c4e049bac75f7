// Backstage's Proton plugin without Backstage: its router and its scaffolder action, on plain express.
// `node backstage.cjs ARN`; packages come from NODE_PATH.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const express = require("express");
const winston = require("winston");
const { ConfigReader } = require("@backstage/config");
const { createRouter, createAwsProtonServiceAction } = require("@aws/aws-proton-backend-plugin-for-backstage");

const arn = process.argv[2];
const logger = winston.createLogger({ silent: true, transports: [new winston.transports.Console()] });
const config = new ConfigReader({
  aws: {
    accounts: [
      {
        accountId: "123456789012",
        accessKeyId: process.env.AWS_ACCESS_KEY_ID,
        secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY,
      },
    ],
  },
});

async function routes() {
  const app = express();
  app.use(await createRouter({ logger, config }));
  const server = app.listen(0, "127.0.0.1");
  await new Promise((listening) => server.on("listening", listening));
  const base = `http://127.0.0.1:${server.address().port}`;
  const get = async (route, of) => {
    const answer = await fetch(`${base}/${route}?arn=${encodeURIComponent(of)}`);
    return [answer.status, await answer.json()];
  };
  const [, service] = await get("service", arn);
  assert.equal(service.arn, arn);
  assert.equal(service.status, "ACTIVE");
  assert.equal(service.pipeline.deploymentStatus, "SUCCEEDED");
  assert.ok(service.pipeline.lastDeploymentSucceededAt);
  const [, instances] = await get("serviceInstances", arn);
  assert.deepEqual(instances.map((one) => one.name).sort(), ["first", "second"]);
  assert.ok(instances.every((one) => one.deploymentStatus === "SUCCEEDED" && one.environmentName === "dev"));
  const [status, missing] = await get("service", arn.replace("service/shop", "service/nobody"));
  assert.equal(status, 500);
  assert.equal(missing.error.name, "ResourceNotFoundException");
  server.close();
}

async function action() {
  const workspacePath = fs.mkdtempSync(path.join(os.tmpdir(), "backstage-"));
  const spec = "proton: ServiceSpec\npipeline:\n  word: ''\ninstances:\n  - name: only\n    environment: dev\n    spec:\n      word: ''\n";
  fs.writeFileSync(path.join(workspacePath, "spec.yaml"), spec);
  const outputs = {};
  await createAwsProtonServiceAction({ config }).handler({
    workspacePath,
    logger,
    logStream: process.stderr,
    output: (name, value) => (outputs[name] = value),
    input: {
      serviceName: "from-backstage",
      templateName: "app",
      templateMajorVersion: "1",
      serviceSpecPath: "spec.yaml",
      region: "us-east-1",
      repository: { owner: "team", repo: "code" },
      repositoryConnectionArn: "arn:aws:codestar-connections:us-east-1:123456789012:connection/a1b2c3d4",
      branchName: "main",
    },
  });
  fs.rmSync(workspacePath, { recursive: true });
  assert.equal(outputs.arn, arn.replace("service/shop", "service/from-backstage"));
}

routes().then(action).then(
  () => console.log("the plugin is content"),
  (error) => { console.error(error); process.exit(1); },
);
