import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ICredentialType, INodeProperties } from 'n8n-workflow';
import { ApiNodeClient } from '../../client';
import { nodePackage } from '../support/engine';

/** Signatures of Dataiku's Python client 14.3.3, from its reference documentation. */
const signatures: Record<string, string[]> = {
	APINodeClient: ['uri', 'service_id', 'api_key', 'bearer_token', 'no_check_certificate', 'client_certificate'],
	predict_record: [
		...['endpoint_id', 'features', 'forced_generation', 'dispatch_key', 'context', 'with_explanations'],
		...['explanation_method', 'n_explanations', 'n_explanations_mc_steps'],
	],
	predict_records: [
		...['endpoint_id', 'records', 'forced_generation', 'dispatch_key', 'with_explanations'],
		...['explanation_method', 'n_explanations', 'n_explanations_mc_steps'],
	],
	forecast: ['endpoint_id', 'records', 'forced_generation', 'dispatch_key'],
	predict_effect: ['endpoint_id', 'features', 'forced_generation', 'dispatch_key'],
	predict_effects: ['endpoint_id', 'records', 'forced_generation', 'dispatch_key'],
	sql_query: ['endpoint_id', 'parameters'],
	lookup_record: ['endpoint_id', 'record', 'context'],
	lookup_records: ['endpoint_id', 'records'],
	run_function: ['endpoint_id', 'kwargs'],
};

interface Row {
	method: string;
	parameter: string;
	node: string;
	fields: string[];
	clientMethod?: string;
}

const quoted = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text!);

const rows: Row[] = readFileSync(path.join(__dirname, '../../docs/coverage.md'), 'utf8')
	.split('\n')
	.filter((line) => line.startsWith('| `'))
	.map((line) => {
		const [method = '', parameter = '', node = '', field = '', client = ''] = line.split('|').slice(1, -1);
		return {
			method: quoted(method)[0]!,
			parameter: quoted(parameter)[0]!,
			node: quoted(node)[0] ?? 'all',
			fields: quoted(field),
			clientMethod: /`(\w+)\(/.exec(client)?.[1],
		};
	});

function fieldNames(properties: INodeProperties[]): string[] {
	return properties.flatMap(({ name, type, options = [] }) =>
		type === 'collection' ? (options as INodeProperties[]).map((option) => `${name}.${option.name}`) : [name],
	);
}

test.each(Object.entries(signatures))(
	'the table has a row for every parameter of %s, and no other',
	(method, parameters) => {
		expect(rows.filter((row) => row.method === method).map(({ parameter }) => parameter)).toEqual(parameters);
	},
);

test('the table has no method that the Python client has not', () => {
	expect(new Set(rows.map(({ method }) => method))).toEqual(new Set(Object.keys(signatures)));
});

test.each(rows)('$method($parameter) is a field that the node has', async ({ node, fields, clientMethod }) => {
	const { nodes, credentialType } = await nodePackage();
	const credential: ICredentialType = credentialType('dataikuApiNodeApi');
	const known = nodes
		.filter(({ name }) => node === 'all' || name === node)
		.map(({ properties }) => [...fieldNames(properties), ...fieldNames(credential.properties)]);
	expect(known.length).toBeGreaterThan(0);
	for (const names of known) expect(names).toEqual(expect.arrayContaining(fields));
	if (clientMethod) expect(ApiNodeClient.prototype).toHaveProperty(clientMethod);
});
