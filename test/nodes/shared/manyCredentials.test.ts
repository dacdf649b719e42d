import type { IDataObject } from 'n8n-workflow';
import { chaosProxy, type ChaosProxy, type ChaosRequest } from '../../support/chaosProxy';
import { connectionFor } from '../../../nodes/shared/connection';
import { credentialFor, run } from '../demo';
import { readings } from './served';

const parameters = [{ in: 'body', schema: { type: 'object' } }];
const document = { swagger: '2.0', paths: { '/fraud/predict': { post: { parameters } } } };

const respond = ({ path, body }: ChaosRequest) => {
	if (path.endsWith('/swagger')) return { body: document };
	const { items } = JSON.parse(body) as { items: object[] };
	return { body: { results: items.map(() => ({ prediction: 'legitimate' })) } };
};

let server: ChaosProxy;
beforeEach(async () => void (server = await chaosProxy({ respond })));
afterEach(async () => await server.close());

/** What differs from credential to credential. */
const kinds: Record<string, (n: number) => IDataObject> = {
	URL: (n) => ({ url: `${server.url}/tenant-${n}` }),
	'API key': (n) => ({ apiKey: `key-${n}` }),
	service: (n) => ({ serviceId: `service-${n}` }),
	'certificate check': (n) => ({ url: `${server.url}/tenant-${n}`, allowUnauthorizedCerts: true }),
};

it.each(Object.keys(kinds))(
	'Credentials used in turn read each document once and open no additional connection when each of 60 has its own %s',
	async (kind) => {
		const execute = async (credential: number) => {
			const { error } = await run('dataikuPredict', {
				url: server.url,
				items: [{ amount: 1 }],
				credentials: credentialFor(server.url, kinds[kind]!(credential)),
				options: { checkFeatures: 'error' },
			});
			expect(error).toBeUndefined();
		};
		const turn = async () => {
			for (let credential = 0; credential < 60; credential++) await execute(credential);
		};
		await turn();
		const { connections } = server;
		await turn();
		await turn();

		expect(readings(server)).toHaveLength(60);
		expect(server.connections).toBe(connections);
	},
	60_000,
);

it('What is known about an API node is forgotten ten minutes after its last use, but not while a call is in progress', async () => {
	const connectionOf = (n: number) => connectionFor(credentialFor(`${server.url}/tenant-${n}`).dataikuApiNodeApi);
	const clientOf = (n: number) => connectionOf(n).client;
	server.setFault({ kind: 'silent' });
	const [idle, busy] = [clientOf(1), clientOf(2)];
	const call = busy.predictRecord('fraud', {}, connectionOf(2).call).catch((error: unknown) => error);
	await server.requestsArrived(1);
	const clock = jest.spyOn(performance, 'now');
	const pass = (minutes: number) => {
		const now = performance.now() + minutes * 60_000;
		clock.mockImplementation(() => now);
	};
	try {
		pass(9);
		clientOf(3);
		expect([clientOf(1) === idle, clientOf(2) === busy]).toEqual([true, true]);
		pass(11);
		clientOf(3);
		expect([clientOf(1) === idle, clientOf(2) === busy]).toEqual([false, true]);
	} finally {
		clock.mockRestore();
		await busy.destroy();
		await call;
	}
});
