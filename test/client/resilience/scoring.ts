import { ApiNodeClient, type ApiNodeClientOptions, operations, recordText } from '../../../nodes/shared/client';
import { chaosProxy, type ChaosOptions, type ChaosProxy, type ChaosRequest } from '../../support/chaosProxy';
import type { Answer } from '../../support/chaosProxy';

/** The endpoint's judgement of one record, by the id that the record carries; undefined scores it. */
export type Refuses = (id: number) => Answer | undefined;

export interface ScoringOptions extends Omit<ChaosOptions, 'respond'> {
	refuses?: Refuses;
}

/** What a Dataiku API node says of a request that it cannot use. */
export const dssError = (status: number, message: string): Answer => ({
	status,
	body: { errorType: 'com.dataiku.dip.exceptions.DataikuException', message },
});

/** The record texts with these ids, or with the ids from 0 to before `ids`. */
export const recordsOf = (ids: number | readonly number[]): string[] =>
	(typeof ids === 'number' ? Array.from({ length: ids }, (_, id) => id) : ids).map((id) =>
		recordText(operations.predict, { id }),
	);

/** The ids of the records in a request, in their order. */
export function idsIn({ body }: Pick<ChaosRequest, 'body'>): number[] {
	const { items, features } = JSON.parse(body) as {
		items?: Array<{ features: { id: number } }>;
		features?: { id: number };
	};
	return (items?.map((item) => item.features) ?? [features ?? { id: NaN }]).map(({ id }) => id);
}

/** Answers as an endpoint would whose result for each record is the id of that record. */
export function scored(request: ChaosRequest, refuses: Refuses = () => undefined): Answer {
	if (request.path === '/isAlive/') return { body: 'OK' };
	if (request.path.endsWith('/query')) return { body: { columns: [], rows: [[request.body]] } };
	if (request.path.endsWith('/run')) return { body: { response: request.body } };
	const ids = idsIn(request);
	for (const id of ids) {
		const refusal = refuses(id);
		if (refusal) return refusal;
	}
	const results = ids.map((id) => ({ id }));
	return { body: request.path.endsWith('-multi') ? { results } : { result: results[0] } };
}

/** The requests to endpoints, without the client's questions whether an instance is alive. */
export const asked = ({ requests }: ChaosProxy): ChaosRequest[] => requests.filter(({ path }) => path !== '/isAlive/');

/** Starts scoring servers and clients, and ends them after each test. */
export function scoringServers() {
	const ends: Array<() => Promise<unknown>> = [];
	afterEach(async () => {
		for (const end of ends.splice(0).reverse()) await end();
	});
	return {
		async server({ refuses, ...options }: ScoringOptions = {}): Promise<ChaosProxy> {
			const server = await chaosProxy({ ...options, respond: (request) => scored(request, refuses) });
			ends.push(() => server.close());
			return server;
		},
		client(servers: ChaosProxy | readonly ChaosProxy[], options: Partial<ApiNodeClientOptions> = {}): ApiNodeClient {
			const url = [servers].flat().map((server) => server.url);
			const client = new ApiNodeClient({ url, serviceId: 's', ...options });
			ends.push(() => client.destroy());
			return client;
		},
		/** For what a test starts by itself. */
		endAfterTest: (end: () => Promise<unknown>) => void ends.push(end),
	};
}

/** Takes the pauses between attempts away, where the test is not about them. */
export function withoutPauses(): void {
	beforeEach(() => void jest.spyOn(Math, 'random').mockReturnValue(0));
	afterEach(() => void jest.restoreAllMocks());
}

/** Time on real sockets, moved by hand: a break of 5 s need not be waited out. */
export function movableClock() {
	const realNow = Date.now;
	let ahead = 0;
	beforeEach(() => {
		ahead = 0;
		jest.spyOn(Date, 'now').mockImplementation(() => realNow() + ahead);
	});
	afterEach(() => void jest.restoreAllMocks());
	return { skip: (ms: number) => void (ahead += ms) };
}

/** What a call came to. */
export async function outcomeOf<T>(call: Promise<T>): Promise<{ value?: T; error?: Error }> {
	try {
		return { value: await call };
	} catch (error) {
		return { error: error as Error };
	}
}
