// An informer of @kubernetes/client-node: what it knows must follow what happens, as soon as it does.

import * as k8s from "@kubernetes/client-node";

const namespace = process.env.TEST_NAMESPACE;
const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const list = () => core.listNamespacedConfigMap({ namespace, labelSelector: "seen=yes" });
const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, list, "seen=yes");
const told = [];
for (const verb of ["add", "update", "delete"]) {
  informer.on(verb, (object) => told.push(`${verb} ${object.metadata.name} ${object.data.n}`));
}
let stopping = false;
informer.on("error", (error) => { if (!stopping) { console.error(error); process.exit(1); } });

const configMap = (name, n) => ({ metadata: { name, labels: { seen: "yes" } }, data: { n } });
async function until(expected) {
  for (let tries = 0; tries < 600; tries++) {
    if (told.includes(expected)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no "${expected}" in ${told}`);
}

await core.createNamespacedConfigMap({ namespace, body: configMap("before", "1") });
await informer.start();
await until("add before 1");
await core.createNamespacedConfigMap({ namespace, body: configMap("after", "2") });
await until("add after 2");
await core.replaceNamespacedConfigMap({ name: "after", namespace, body: configMap("after", "3") });
await until("update after 3");
await core.deleteNamespacedConfigMap({ name: "before", namespace });
await until("delete before 1");
if (informer.list().map((one) => one.metadata.name).join() !== "after") throw new Error("the cache is wrong");

const objects = k8s.KubernetesObjectApi.makeApiClient(config);
await objects.patch(
  { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "after", namespace }, data: { m: "4" } },
  undefined, undefined, "test", true, k8s.PatchStrategy.ServerSideApply,
);
const patched = await core.readNamespacedConfigMap({ name: "after", namespace });
if (patched.data.m !== "4" || patched.data.n !== "3") throw new Error(JSON.stringify(patched));
stopping = true;
await informer.stop();
console.log("all seen");
process.exit(0);
