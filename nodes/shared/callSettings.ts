import {
	callHeaders,
	type CallOptions,
	type DispatchOptions,
	type ExplanationOptions,
	InvalidCallError,
	type JsonObject,
} from '../../client/internal';
import type { Connection } from './connection';
import type { Execution } from './Execution';
import type { ItemConnections } from './ItemConnections';
import { choice, combine, demanded, gaveNothing, isNone, type Parameters, type Reader, textOf } from './parameters';

/** The destination and settings of a request. Items with the same target may share one. */
export interface Target extends CallOptions, DispatchOptions {
	connection: Connection;
	endpointId: string;
	timeout: number;
	maxConcurrency: number;
}

export function callTo<ItemTarget extends Target>(target: ItemTarget): ItemTarget {
	const { call } = target.connection;
	return { ...target, ...call, serviceId: target.serviceId ?? call.serviceId };
}

/** Expressions may return any value, such as a number as text. */
export function positive(reader: Reader<unknown>, label: string): (itemIndex: number) => number {
	return (i) => {
		const value = Number(reader(i));
		if (Number.isInteger(value) && value > 0) return value;
		throw new InvalidCallError(`"${label}" must be a positive integer, not '${String(reader(i))}'`);
	};
}

/** 0 and empty values mean that the option is not set. Other invalid values are kept, so that they are refused. */
const optionalNumber = (value: unknown) => {
	const number = Number(value ?? 0);
	return number === 0 ? undefined : number;
};

const optionalText = (value: unknown) => textOf(value) || undefined;

export function endpointReader(parameters: Parameters): Reader<string> {
	const endpointId = parameters.reader<unknown>('endpointId', '', { extractValue: true });
	return combine([endpointId], (i) => textOf(endpointId(i)));
}

/**
 * Reads the rows of an option such as "Headers".
 *
 * @param key a field that each row needs
 */
export function rowsReader(
	parameters: Parameters,
	label: 'Headers' | 'Files',
	key: string,
): Reader<readonly JsonObject[]> {
	const path = `options.${label.toLowerCase()}`;
	const what = label.toLowerCase().slice(0, -1);
	const all = parameters.reader<Record<string, JsonObject[] | undefined>>(path, {});
	const raw = parameters.rawValue(path) as Record<string, JsonObject[] | undefined> | undefined;
	const rows = raw?.[what];
	// If the rows are a single expression, n8n passes no rows, or a nameless row per character.
	const areLost = raw !== undefined && !(Array.isArray(rows) && rows.some((row) => row[key]));
	return combine([all], (i) => {
		if (!areLost) return all(i)[what] ?? [];
		throw new InvalidCallError(`"${label}" contains no ${what}`, {
			advice: `n8n does not pass on rows that are set by one expression. Add one row for each ${what} and enter expressions in its fields, or remove the option.`,
		});
	});
}

/** Request headers. They are checked here, because an invalid item must not count as read. */
function headersReader(parameters: Parameters): Reader<CallOptions['headers']> {
	const all = rowsReader(parameters, 'Headers', 'name');
	const raw = parameters.rawValue('options.headers.header') as JsonObject[] | undefined;
	const isExpression = (n: number, field: string) => textOf(raw?.[n]?.[field]).startsWith('=');
	return combine([all], (i) => {
		const rows = all(i).flatMap(({ name: given, value }, n) => {
			const name = textOf(given).trim();
			if (isNone(given) && isExpression(n, 'name')) throw gaveNothing('a name in "Headers"');
			return name === '' ? [] : [[name, textOf(value)] as const];
		});
		const twice = rows.find(([name], n) => rows.findIndex((row) => row[0] === name) < n);
		if (twice) throw new InvalidCallError(`The header "${twice[0]}" cannot be sent: it appears twice`);
		return rows.length > 0 ? callHeaders(Object.fromEntries(rows)).headers : undefined;
	});
}

/**
 * Endpoint, service and limits of every node. The default of 8 simultaneous requests is what an endpoint's default pool serves.
 * Measured with an API node that works 5 ms per request: 4 requests at a time take 1.8 times as long, 2 take 3.3 times.
 */
export function targetReader({
	parameters,
	connections: { of: connectionOf },
}: Pick<Execution, 'parameters'> & { connections: Pick<ItemConnections, 'of'> }): Reader<Target> {
	const endpointId = endpointReader(parameters);
	const text = (name: string, label?: string) => {
		const given = parameters.reader<unknown>(`options.${name}`, '');
		const reader = label === undefined ? given : demanded(given, label);
		return combine([reader], (i) => optionalText(reader(i)));
	};
	// An expression that returns nothing must not send an item to the credential's service. Dispatch keys and generations are
	// optional.
	const serviceId = text('serviceId', 'Service ID');
	const timeout = parameters.reader<unknown>('options.timeout', 30_000);
	const maxConcurrency = parameters.reader<unknown>('options.maxConcurrency', 8);
	const forcedGeneration = text('forcedGeneration');
	const dispatchKey = text('dispatchKey');
	const headers = headersReader(parameters);
	const readers = [
		connectionOf,
		endpointId,
		serviceId,
		timeout,
		maxConcurrency,
		forcedGeneration,
		dispatchKey,
		headers,
	];
	const timeoutOf = positive(timeout, 'Timeout');
	const concurrencyOf = positive(maxConcurrency, 'Max Concurrency');
	return combine(readers, (i) => ({
		connection: connectionOf(i),
		endpointId: endpointId(i),
		serviceId: serviceId(i),
		timeout: timeoutOf(i),
		maxConcurrency: concurrencyOf(i),
		forcedGeneration: forcedGeneration(i),
		dispatchKey: dispatchKey(i),
		headers: headers(i),
	}));
}

/**
 * Records per request, 100 by default. Measured with 20,000 items: batches of 10 take 2.7 times as long. Batches of 500 take a
 * tenth less, but each delays five times as many records.
 */
export function batchSizeReader(parameters: Parameters): Reader<number> {
	const batchSize = parameters.reader<unknown>('options.batchSize', 100);
	return combine([batchSize], positive(batchSize, 'Batch Size'));
}

/** Predict's explanations. Options that are not set use the endpoint's setting. */
export function explanationReader(parameters: Parameters): Reader<ExplanationOptions> {
	const explanations = choice(parameters.reader('explanations', 'endpointDefault'), 'Explanations', [
		'endpointDefault',
		'on',
		'off',
	]);
	const method = parameters.reader<unknown>('explanationMethod', '');
	const count = parameters.reader<unknown>('nExplanations', 0);
	const steps = parameters.reader<unknown>('nMonteCarloSteps', 0);
	return combine([explanations, method, count, steps], (i) => {
		if (explanations(i) === 'endpointDefault') return {};
		if (explanations(i) === 'off') return { withExplanations: false };
		return {
			withExplanations: true,
			explanationMethod: optionalText(method(i)) as ExplanationOptions['explanationMethod'],
			nExplanations: optionalNumber(count(i)),
			nExplanationsMcSteps: optionalNumber(steps(i)),
		};
	});
}
