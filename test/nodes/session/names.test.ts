import type { IDataObject, NodeEgressFilter } from 'n8n-workflow';
import { connectionFor } from '../../../nodes/shared/connection';
import { read, Scene } from '../../client/session/harness';
import { jsonOf, run } from '../demo';

const scene = new Scene();

describe('Names that every JavaScript object has', () => {
	const names = ['constructor', 'toString', 'hasOwnProperty', 'valueOf', '__proto__'];

	it.each(names)('%s is not accepted as an output of a node', async (name) => {
		const server = await scene.server();
		for (const type of ['dataikuPredict', 'dataikuLookup', 'dataikuSqlQuery', 'dataikuRunFunction']) {
			const { output } = await run(type, {
				url: server.url,
				items: [{ id: 1, name }],
				endpointId: 'endpoint',
				parameters: { output: '={{ $json.name }}' },
				onError: 'continueRegularOutput',
			});
			expect([type, jsonOf(output)]).toEqual([
				type,
				[expect.objectContaining({ error: expect.stringMatching(/"Output" must be one of .*, not '/) as string })],
			]);
		}
	});

	const send = async (item: IDataObject, parameters: IDataObject) => {
		const server = await scene.server();
		const { error } = await run('dataikuRunFunction', {
			url: server.url,
			items: [item],
			endpointId: 'f',
			parameters: { recordSource: 'inputItem', ...parameters },
		});
		return { error: error?.message, sent: server.asked().map((request) => read(request).body) };
	};

	it('length is not a field of a list', async () => {
		const item = { list: [1, 2], length: 7 };
		const selected = { include: 'selected', includeFields: 'list.length, length' };
		expect((await send(item, selected)).sent).toEqual([{ length: 7 }]);
		const except = { include: 'except', excludeFields: 'list.length' };
		expect((await send(item, except)).sent).toEqual([item]);
	});

	it.each(names.filter((name) => name !== '__proto__'))(
		'%s is a field of the items that have it, and of no others',
		async (name) => {
			const selected = { recordSource: 'inputItem', include: 'selected', includeFields: name };
			expect(await send({ [name]: 7, other: 1 }, selected)).toEqual({ error: undefined, sent: [{ [name]: 7 }] });
			expect(await send({ other: 1 }, selected)).toEqual({
				error: expect.stringContaining('The item has none of the fields') as string,
				sent: [],
			});
			expect(
				await send(
					{ a: { [name]: 7 } },
					{ recordSource: 'inputItem', include: 'selected', includeFields: `a.${name}` },
				),
			).toEqual({
				error: undefined,
				sent: [{ [name]: 7 }],
			});
			expect(
				await send({ a: {} }, { recordSource: 'inputItem', include: 'selected', includeFields: `a.${name}` }),
			).toEqual({
				error: expect.stringContaining('The item has none of the fields') as string,
				sent: [],
			});
			expect(
				await send({ [name]: 7, other: 1 }, { recordSource: 'inputItem', include: 'except', excludeFields: name }),
			).toEqual({
				error: undefined,
				sent: [{ other: 1 }],
			});
		},
	);
});

describe("The client of an execution under n8n's egress policy", () => {
	const credential = (url: string) => ({ url, serviceId: 's', authentication: 'none' });
	/** A policy that forbids whatever address a name stands for. */
	const forbidding = (): NodeEgressFilter =>
		({
			validateUrl: async () => await Promise.resolve({ ok: true }),
			createSecureLookup: () => (_host: string, _options: unknown, callback: (error: Error) => void) =>
				callback(Object.assign(new Error('The address is blocked'), { code: 'EBLOCKED' })),
		}) as unknown as NodeEgressFilter;

	it.each(['when a client without it was used first', 'when a client with it was used first'])(
		'differs from the client without a policy (%s)',
		async (order) => {
			const server = await scene.server();
			const url = server.url.replace('127.0.0.1', 'localhost');
			const ask = async (egress?: NodeEgressFilter) => {
				const { client, call } = connectionFor(credential(url), { egress });
				scene.atEnd(async () => await client.destroy());
				return await client.runFunction('f', {}, { ...call, deadline: 300 }).then(
					() => 'served',
					() => 'refused',
				);
			};
			const first = order.startsWith('without');
			const outcomes = [await ask(first ? undefined : forbidding()), await ask(first ? forbidding() : undefined)];
			expect(outcomes).toEqual(first ? ['served', 'refused'] : ['refused', 'served']);
		},
	);

	it('is the same for the next execution of the same kind', async () => {
		const server = await scene.server();
		const clientFor = (egress?: NodeEgressFilter) => connectionFor(credential(server.url), { egress }).client;
		expect(clientFor()).toBe(clientFor());
		expect(clientFor(forbidding())).toBe(clientFor(forbidding()));
		expect(clientFor(forbidding())).not.toBe(clientFor());
	});
});
