import type { INodeExecutionData, IPollFunctions } from 'n8n-workflow';
import { InvalidCallError, isBlank, type JsonObject, type RecordsResponse } from '../../client/internal';
import { callTo, positive, type Target, targetReader } from '../shared/callSettings';
import { type Connection, connectTrigger } from '../shared/connection';
import { currentDocument } from '../shared/documents';
import { explain, summaryOf, toNodeError } from '../shared/nodeErrors';
import { choice, Parameters } from '../shared/parameters';
import { recordsIn } from '../shared/records';
import {
	type Change,
	compare,
	digestOf,
	type DocumentedField,
	driftMeasures,
	enoughResponses,
	type EventName,
	eventNames,
	type Memory,
	type Rules,
	sample,
	type Seen,
} from './changes';
import { sentenceOn } from './sentenceOn';

/** Requests with which a poll searches for all live generations after it has met an unknown one. */
const samples = 2 * enoughResponses;

/** Simultaneous requests of one poll to one instance: half of an API node's default pool. */
const samplesAtATime = 4;

/** More records would turn each poll into a batch and bloat the workflow's static data. */
const mostRecords = 100;

interface Settings {
	events: readonly EventName[];
	records: readonly JsonObject[];
	rules: Rules;
	isTest: boolean;
	target: Target;
	instances: Array<{ name: string; connection: Connection }>;
}

/** What the workflow stores for this node: results and digests, but no records and no secrets. */
interface State {
	version: 1;
	/** A digest of the settings. The stored memory is valid only for the same settings. */
	of: string;
	instances: InstanceState[];
}

interface InstanceState {
	name: string;
	memory: Memory;
	/** Whether the log already has a message about a persistent problem. */
	isTold?: boolean;
}

/**
 * The observations of an instance. `problem` is a problem of the node's settings, and `unsampled` is the reason why not all
 * generations were found.
 */
interface Look {
	seen: Seen;
	failure?: Error;
	problem?: Error;
	unsampled?: Error;
}

export async function pollEndpoint(context: IPollFunctions): Promise<INodeExecutionData[][] | null> {
	let target: Target | undefined;
	try {
		const settings = await readSettings(context);
		({ target } = settings);
		const { isTest, events, rules, instances } = settings;
		const of = digestOf([serviceOf(target), target.endpointId, settings.records]);
		const known = isTest ? undefined : stateOf(context, of);
		const looks = await Promise.all(
			instances.map(
				async (instance) => await look(instance.connection, settings, instanceIn(known, instance.name)?.memory),
			),
		);
		failFirst(looks, settings, context, known !== undefined);

		// No await from here on, because polls may overlap.
		const last = isTest ? undefined : stateOf(context, of);
		const state: State = { version: 1, of, instances: [] };
		const items: INodeExecutionData[] = [];
		for (const [n, { seen, failure, problem, unsampled }] of looks.entries()) {
			const { name } = instances[n]!;
			const before = instanceIn(last, name);
			const words = problem
				? summaryOf(problem)
				: unsampled && `Not all live generations could be found (${summaryOf(unsampled)}). The next poll looks again`;
			if (words !== undefined && !isTest && !before?.isTold) warn(context, words);
			const compared = compare(before?.memory, seen, rules);
			state.instances.push({ name, memory: compared.memory, isTold: words !== undefined });
			for (const change of isTest ? sample(seen, rules) : compared.changes) {
				const { endpointId: endpoint } = target;
				const { event, ...what } = change;
				const sentence = (of: Change) => sentenceOn(of, endpoint, instances.length > 1 ? name : undefined);
				const message = sentence(change);
				const json = { event, message, endpoint, service: serviceOf(target), instance: name, ...what, test: isTest };
				if (events.includes(event)) items.push({ json });
				// Only the log shows it, because the event is not selected.
				else if (event === 'down') warn(context, sentence({ ...change, details: [{ reason: summaryOf(failure) }] }));
			}
		}
		if (!isTest) context.getWorkflowStaticData('node').watch = state;
		return items.length > 0 ? [items] : null;
	} catch (error) {
		throw toNodeError(context.getNode(), explain(error, { target }), 0);
	}
}

/** Writes to n8n's log, which must not contain a server's message about a record. */
function warn(context: IPollFunctions, words: string): void {
	context.logger.warn(words, { node: context.getNode().name });
}

const serviceOf = ({ connection, serviceId }: Target) => serviceId ?? connection.call.serviceId;

const instanceIn = (state: State | undefined, name: string) => state?.instances.find((each) => each.name === name);

/** A copy, because n8n's own object tracks every change to it. */
function stateOf(context: IPollFunctions, of: string): State | undefined {
	const { watch } = context.getWorkflowStaticData('node') as { watch?: State };
	return watch?.version === 1 && watch.of === of ? (JSON.parse(JSON.stringify(watch)) as State) : undefined;
}

/**
 * Fails a poll from which nothing can be learned, but only if a user sees it: in a test, and when the workflow is first
 * activated. At n8n's start nobody does, and the workflow must not stay inactive.
 */
function failFirst(looks: Look[], { events, isTest }: Settings, context: IPollFunctions, isKnown: boolean): void {
	const isStart = ['init', 'leadershipChange'].includes(context.getActivationMode());
	if (isKnown || (isStart && !isTest)) return;
	const showsFailure = isTest && events.includes('down');
	const errors = looks.map(({ failure, problem }) => (showsFailure ? problem : (failure ?? problem)));
	if (errors.every((error) => error !== undefined)) throw errors[0]!;
}

async function readSettings(context: IPollFunctions): Promise<Settings> {
	const parameters = new Parameters({
		getNode: () => context.getNode(),
		getNodeParameter: ((path: string, _itemIndex: number, ...rest: [unknown, object?]) =>
			context.getNodeParameter(path, ...rest)) as ConstructorParameters<typeof Parameters>[0]['getNodeParameter'],
	});
	const read = (path: string, fallback: unknown) => parameters.reader<unknown>(path, fallback);
	const events = [read('events', ['generation'])(0)].flat() as EventName[];
	const unknown = events.find((event) => !eventNames.includes(event));
	if (unknown !== undefined || events.length === 0) {
		throw new InvalidCallError(`"Events" must contain at least one of ${eventNames.join(', ')}`);
	}
	const records = recordsIn(read('testRecords', '')(0));
	if (records.length > mostRecords) {
		throw new InvalidCallError(
			`"Test Records" contains ${records.length} records, but at most ${mostRecords} are allowed`,
		);
	}
	if (records.length === 0 && (events.includes('generation') || events.includes('drift'))) {
		throw new InvalidCallError('"Test Records" is empty', {
			advice:
				'"Different Generation Responds" and "Scores Drift" need at least one test record. Enter a test record, or choose other events.',
		});
	}
	const largest = read('driftTolerance', 0.1)(0) ?? '';
	const tolerance = isBlank(largest) ? NaN : Number(largest);
	if (!(tolerance >= 0)) throw new InvalidCallError('"Tolerance" must be zero or a positive number');
	const rules = {
		measure: choice(read('driftMeasure', 'share'), 'Compare By', driftMeasures)(0),
		tolerance,
		failures: positive(read('failuresInARow', 3), 'Consecutive Failures')(0),
	};
	const { all, each } = await connectTrigger(context);
	const given = targetReader({ parameters, connections: { of: Object.assign(() => all, { constant: true }) } })(0);
	const target = given.endpointId.includes('://') ? { ...given, ...all.client.locate(given.endpointId) } : given;
	return { events, records, rules, isTest: context.getMode() === 'manual', target, instances: each };
}

async function look(connection: Connection, settings: Settings, memory: Memory | undefined): Promise<Look> {
	const { events } = settings;
	const at = new Date().toISOString();
	const target = { ...settings.target, connection };
	const asksFields = events.includes('fields');
	const asksEndpoint = events.some((event) => event !== 'fields');
	const [{ value: sampled = {}, error: failure }, { value: fields, error: unread }] = await Promise.all([
		asksEndpoint ? settled(responsesOf(target, settings, memory)) : none,
		asksFields ? settled(fieldsOf(target, memory)) : none,
	]);
	// The error concerns the node's settings and not the endpoint.
	if (failure instanceof InvalidCallError) throw failure;
	const reason = failure && explain(failure, {}).message;
	const { responses = [], unsampled } = sampled;
	const isUnnamed =
		events.includes('generation') &&
		!failure &&
		responses.length > 0 &&
		!responses.some(({ generation }) => generation);
	const unnamed = isUnnamed
		? new InvalidCallError('The responses from this endpoint do not name a generation')
		: undefined;
	const seen = { at, failure: reason, responses, isPartial: unsampled !== undefined, fields };
	return { seen, failure, problem: unread ?? unnamed, unsampled };
}

interface Settled<Value> {
	value?: Value;
	error?: Error;
}

const none: Settled<never> = {};

const settled = async <Value>(promise: Promise<Value>): Promise<Settled<Value>> =>
	await promise.then(
		(value) => ({ value }),
		(error: Error) => ({ error }),
	);

/** @returns `unsampled`, the reason, if there are too few responses to know all live generations */
async function responsesOf(
	target: Target,
	{ records, isTest }: Settings,
	memory: Memory | undefined,
): Promise<{ responses?: Seen['responses']; unsampled?: Error }> {
	const session = target.connection.client.session();
	// A second attempt, because the API node may have closed the idle connection.
	const options = { ...callTo(target), deadline: target.timeout, maxAttempts: 2, maxConcurrency: samplesAtATime };
	if (records.length === 0) {
		await session.isAlive(options);
		return {};
	}
	const features = records.map((record) => ({ features: record }));
	const ask = async () => responseIn(await session.predictRecords(target.endpointId, features, options));
	const first = await ask();
	const isKnown = memory?.generations.some(({ id }) => id === first.generation) && memory.searched === undefined;
	if (isTest || isKnown) return { responses: [first] };
	const others = await Promise.all(Array.from({ length: samples }, () => settled(ask())));
	const came = others.flatMap(({ value }) => value ?? []);
	const failed = others.find(({ error }) => error);
	return { responses: [first, ...came], unsampled: came.length < enoughResponses ? failed!.error : undefined };
}

const responseIn = ({ apiContext, results }: RecordsResponse) => ({
	generation: String(apiContext?.serviceGeneration ?? ''),
	results,
});

async function fieldsOf(target: Target, memory: Memory | undefined): Promise<DocumentedField[]> {
	const { connection, endpointId, serviceId } = target;
	const { document, problem } = await currentDocument(connection, serviceId);
	if (!document) throw problem!;
	const schema = document.schemaOf(endpointId, 'predict');
	if (!schema && !memory?.fields) {
		throw new InvalidCallError(`The OpenAPI document does not list the endpoint '${endpointId}'`);
	}
	return (schema?.fields ?? []).map(({ name, type = 'any type', required }) => ({ name, type, required }));
}
