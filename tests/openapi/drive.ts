// Drives one job with the generated types: create, claim, report, read, and delete with a body.
import createClient from "openapi-fetch";
import type { paths } from "./schema";

declare const process: { argv: string[] };

const [baseUrl, token, name] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });

function sure<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

const created = sure(
  await client.POST("/api/v1/jobs", {
    body: { name, metadata: { any: { depth: 1 } }, items: [{ key: "a.jpg", payload: { bytes: 3 } }, { key: "b.jpg" }] },
  }),
);
const place = { path: { job_id: created.id, code: "items" } };
const claimed = sure(
  await client.POST("/api/v1/jobs/{job_id}/phases/{code}/claim", { params: place, body: { worker: "ts" } }),
);
const reported = sure(
  await client.POST("/api/v1/jobs/{job_id}/phases/{code}/report", {
    params: place,
    body: {
      worker: "ts",
      results: claimed.items.map(({ key, attempt }) => ({ key, attempt, status: "completed" as const })),
    },
  }),
);
const read = sure(await client.GET("/api/v1/jobs/{job_id}", { params: { path: { job_id: created.id } } }));
const finished: "completed" | string = read.status;
const missing = await client.GET("/api/v1/jobs/{job_id}", { params: { path: { job_id: 987654321 } } });
const removed = sure(
  await client.DELETE("/api/v1/jobs/{job_id}", {
    params: { path: { job_id: created.id } },
    body: { reason: "The example is over.", undelivered: true },
  }),
);
console.log(
  JSON.stringify({
    finished,
    payload: claimed.items[0].payload,
    outcomes: reported.results.map((result) => result.outcome),
    problem: missing.error?.code,
    removed: removed.changed,
  }),
);
