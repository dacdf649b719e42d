/** What the types of the client promise. Compiled against the packed package by package.test.ts, not with the other sources. */
import {
	ApiNodeClient,
	ApiNodeError,
	CancelledError,
	type ClientEvent,
	type FunctionResponse,
	type LookupResult,
	type PredictionResult,
	RawResponse,
	type RecordOutcome,
	type ResponseHead,
	type Session,
	StatusError,
} from 'n8n-nodes-dataiku/client';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <Claim extends true>(): Claim | undefined => undefined;

export async function methods(url: string): Promise<unknown[]> {
	const client = new ApiNodeClient({
		url: [url],
		serviceId: 'demo',
		bearerToken: 't',
		tls: { rejectUnauthorized: false },
	});
	const { results, apiContext } = await client.predictRecords('fraud', [{ features: {} }], {
		explanationMethod: 'ICE',
	});
	const generation: string | undefined = apiContext?.serviceGeneration;
	const predictions: Array<PredictionResult['prediction']> = results.map(({ prediction }) => prediction);
	const { data } = await client.lookupRecord('customer', {});
	const { rows = [] } = await client.sqlQuery('q', {}, { repeatable: true });
	const cell: string | null | undefined = rows[0]?.[0];
	// @ts-expect-error no such method of explaining
	await client.predictRecord('fraud', {}, { explanationMethod: 'LIME' });
	// @ts-expect-error only queries and functions may write
	await client.predictRecord('fraud', {}, { repeatable: true });
	// @ts-expect-error the service is missing
	new ApiNodeClient({ url });
	return [generation, predictions, data, cell];
}

interface Payment {
	amount: number;
	country?: string;
}

export async function interfaces(client: ApiNodeClient, payment: Payment, payments: readonly Payment[]) {
	const { result } = await client.predictRecord('fraud', payment);
	const probability: number | undefined = result.probas?.fraud;
	const own = await client.predictRecord<Payment, { score: number }>('fraud', payment);
	const score: number = own.result.score;
	// @ts-expect-error another record than the endpoint takes
	await client.predictRecord<Payment>('fraud', { amount: 'a lot' });
	// @ts-expect-error a record is an object
	await client.predictRecord('fraud', 'payment');
	await client.predictRecords(
		'fraud',
		payments.map((features) => ({ features })) as ReadonlyArray<{ features: Payment }>,
	);
	await client.lookupRecord('customer', payment);
	await client.forecast('sales', payments);
	await client.sqlQuery('q', payment);
	await client.runFunction('f', payment);
	return [probability, score];
}

export async function outcomes(client: ApiNodeClient, payments: readonly Payment[]) {
	const records = payments.map((features) => ({ features }));
	for (const { result, error, untried } of await client.settle('predict', 'fraud', records)) {
		if (error) holds<Same<typeof untried, true | undefined>>();
		else holds<Same<typeof result.probas, Record<string, number> | undefined>>();
	}
	for (const { result } of await client.settle('lookup', 'customer', [{ data: payments[0]! }])) {
		holds<Same<typeof result, LookupResult | undefined>>();
	}
	for await (const { index, record, result } of client.settleAll('forecast', 'sales', [payments], { inOrder: true })) {
		holds<Same<typeof index, number>>();
		holds<Same<typeof record, readonly object[]>>();
		const time: string | undefined = result?.results[0]?.time;
		console.log(time);
	}
	async function* stream() {
		yield* records;
	}
	// @ts-expect-error records of a lookup have data
	client.settleAll('lookup', 'customer', stream());
	// @ts-expect-error a list of outcomes is not kept
	client.settleAll('predict', 'fraud', stream(), { onOutcome: () => {} });
	return client.settleAll('predict', 'fraud', stream());
}

export async function disposal(url: string) {
	await using client = new ApiNodeClient({ url, serviceId: 's' });
	await client.isAlive({ maxAttempts: 1 });
}

export async function functions(client: ApiNodeClient) {
	const sum = await client.runFunction<FunctionResponse<number>>('add', { a: 1, b: 2 });
	holds<Same<typeof sum, FunctionResponse<number> | RawResponse | null>>();
	const unknown = await client.runFunction('any');
	holds<Same<typeof unknown, FunctionResponse<unknown> | RawResponse | null>>();
}

export async function batches(client: ApiNodeClient): Promise<RecordOutcome[]> {
	await client.settle('lookup', 'customer', [{ data: { id: 1 }, context: {} }], { batchSize: 1, maxConcurrency: 2 });
	await client.settle('forecast', 'sales', [[{ date: '2026-01-01' }]], { identifierColumns: ['store'] });
	// @ts-expect-error records of a prediction have features
	await client.settle('predict', 'fraud', [{ data: {} }]);
	// @ts-expect-error a query is not settled
	await client.settle('sqlQuery', 'q', [{}]);
	const outcomes = await client.settle('predict', 'fraud', [{ features: {} }], { onOutcome: (_index: number) => {} });
	for (const outcome of outcomes) {
		if (outcome.error) holds<Same<typeof outcome.untried, true | undefined>>();
		else holds<Same<typeof outcome.error, undefined>>();
	}
	return outcomes;
}

export async function headers(client: ApiNodeClient): Promise<ResponseHead | undefined> {
	let head: ResponseHead | undefined;
	const sent = { 'X-Tenant': 'acme' } as const;
	await client.runFunction('f', {}, { headers: sent, onResponse: (received) => void (head = received) });
	// @ts-expect-error a header is a text
	await client.openApi({ headers: { 'x-count': 7 } });
	const [outcome] = await client.settle('predict', 'fraud', [], { headers: sent, responseHeaders: true });
	if (outcome && !outcome.error) holds<Same<typeof outcome.response.headers, Record<string, string> | undefined>>();
	// @ts-expect-error records are settled in several requests: their outcomes have the headers
	await client.settle('predict', 'fraud', [], { onResponse: () => {} });
	return head;
}

export function sessions(client: ApiNodeClient): Session {
	const tokens = { get: async () => 'token', renew: async (_refused: string) => undefined };
	const onEvent = (event: ClientEvent) => {
		if (event.type === 'pause') holds<Same<typeof event.pauseMs, number>>();
		// @ts-expect-error only a split counts records
		else if (event.type === 'retry') return event.records;
		return undefined;
	};
	const session = client.session({ signal: new AbortController().signal, tokens, onEvent });
	session.stop();
	return session;
}

export function errors(error: unknown): string | number | undefined {
	if (error instanceof StatusError) return error.status satisfies number;
	if (error instanceof CancelledError) return undefined;
	// @ts-expect-error an error is not changed after it was thrown
	if (error instanceof ApiNodeError) error.advice = 'another';
	return error instanceof ApiNodeError ? (error.advice ?? error.serverMessage) : undefined;
}
