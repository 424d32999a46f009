// Asks two served APIs, of one pipeline and of several, with the client that was generated beside it.

import {
  Configuration,
  type DeadLetterPage,
  DeadLettersApi,
  FlowApi,
  type LagStatus,
  type Outcome,
  PipelineFlowApi,
  PipelineSnapshotsApi,
  PipelinesApi,
  type Problem,
  ProblemFromJSON,
  type Replay,
  type ReplayRequest,
  ReplaysApi,
  ResponseError,
  type ShardStatus,
  type Snapshot,
  type Status,
  type VerifyRequest,
} from "./client/index.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
function is<_ extends true>(): void {}

// An enumeration has its values, what may be null says so, and whatever is always answered is not optional.
is<Same<Status["state"], "starting" | "snapshotting" | "running" | "paused" | "standby" | "stopping" | "failed">>();
is<Same<ShardStatus["state"], "waiting_for_parent" | "reading" | "drained" | "closed" | "failed">>();
is<Same<Replay["state"], "running" | "done" | "failed" | "cancelled">>();
is<Same<Replay["started_by"], "admin" | "schedule" | "gap">>();
is<Same<Outcome["outcome"], "written" | "deleted" | "unchanged">>();
is<Same<Status["reason"], string | null>>();
is<Same<Status["now"], Date>>();
is<Same<Status["paused_since"], Date | null>>();
is<Same<Status["refused"], { [key: string]: string }>>();
is<Same<Status["dead_letters"], number | null>>();
is<Same<LagStatus["seconds"], number | null>>();
is<Same<LagStatus["keys_in_doubt"], number | null>>();
is<Same<Replay["records_read"], number>>();
is<Same<Replay["from"], "trim_horizon" | null>>();
is<Same<Snapshot["needed"], boolean>>();
is<Same<DeadLetterPage["cursor"], string | null>>();
is<Same<VerifyRequest["repair"], boolean | undefined>>();

const [one, several, token] = Deno.args as [string, string, string];
const toOne = new Configuration({ basePath: one, accessToken: token });
const toSeveral = new Configuration({ basePath: several, accessToken: token });

function tell(...values: unknown[]): void {
  console.log(JSON.stringify(values));
}

async function refused(call: Promise<unknown>): Promise<Problem> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ResponseError) return ProblemFromJSON(await error.response.json());
    throw error;
  }
  throw new Error("it was not refused");
}

const flow = new FlowApi(toOne);
const status = await flow.getStatus();
tell(status.state, status.role, status.now, status.lag.seconds, status.paused_since);
tell((await flow.pause()).state, (await flow.resume()).state);
tell((await flow.getMetrics()).split("\n")[0]);

const letters = new DeadLettersApi(toOne);
const page = await letters.listDeadLetters({ limit: 2 });
const following = await letters.listDeadLetters({ limit: 2, cursor: page.cursor });
const items = [...page.items, ...following.items];
tell(items.map((letter) => letter.id), following.cursor);
tell((await flow.replicateItem({ replicateRequest: { keys: items[0]?.keys ?? {} } })).outcome);
tell((await letters.redriveDeadLetters({ redriveRequest: { ids: ["a"] } })).redriven);
tell((await letters.redriveDeadLetters({ redriveRequest: { all: true } })).redriven);

const replays = new ReplaysApi(toOne);
const places: ReplayRequest[] = [
  { from: "trim_horizon", dry_run: true },
  { from_time: new Date("2026-11-23T10:15:00Z") },
  { sequence_number: "1100000000017454423009" },
];
for (const replayRequest of places) await replays.startReplay({ replayRequest });
const listed = (await replays.listReplays()).items;
tell(...listed.map((job) => [job.sequence_number, job.from_time, job.from, job.dry_run]));
tell((await replays.cancelReplay({ id: listed[0]?.id ?? "" })).state);

const missing = await refused(replays.getReplay({ id: "none" }));
tell(missing.status, missing.type, missing.detail);
const wrong = await refused(replays.startReplay({ replayRequest: { sequence_number: "no number" } }));
tell(wrong.status, wrong.errors?.map((each) => each.field));
const stranger = new FlowApi(new Configuration({ basePath: one }));
tell((await refused(stranger.pause())).type);

const name = "users/eu";
const ofAName = new PipelineFlowApi(toSeveral);
tell((await new PipelinesApi(toSeveral).listPipelines()).items.map((each) => each.name));
tell((await ofAName.pausePipeline({ name })).state, (await ofAName.getPipelineStatus({ name: "orders" })).state);
const snapshots = new PipelineSnapshotsApi(toSeveral);
const begun = await snapshots.startPipelineSnapshot({ name });
const { items: kept } = await snapshots.listPipelineSnapshots({ name });
tell(kept.map((job) => job.id === begun.id), (await snapshots.listPipelineSnapshots({ name: "orders" })).items);
tell((await refused(new FlowApi(toSeveral).getStatus())).detail);
