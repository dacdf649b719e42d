import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ICredentialType, INodeProperties } from 'n8n-workflow';
import { ApiNodeClient } from '../../client';
import { nodePackage } from '../support/engine';

const read = (file: string) => readFileSync(path.join(__dirname, file), 'utf8');

/** The parameters of each signature of Dataiku's Python client. */
const recorded = Object.fromEntries(
	[...read('APINodeClient.txt').matchAll(/^(\w+)\((.*)\)$/gm)].map(([, method = '', parameters = '']) => [
		method,
		parameters.split(', ').map((parameter) => parameter.replace(/^\*+|=.*$/g, '')),
	]),
);
const { DSSBaseClient: inherited = [], ...signatures } = recorded;
/** The base class serves clients of DSS itself, too: a ticket is one of its own processes'; `kwargs` has old names. */
const ofDss = ['base_uri', 'internal_ticket', 'kwargs'];
signatures.APINodeClient = [...new Set([...signatures.APINodeClient!, ...inherited])].filter(
	(parameter) => !ofDss.includes(parameter),
);

interface Row {
	method: string;
	parameter: string;
	node: string;
	fields: string[];
	clientMethod?: string;
}

const quoted = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text!);

const [ofMethods = '', ofFeatures = ''] = read('../../docs/coverage.md').split('\n## ');

const rows: Row[] = ofMethods
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

test('signatures are read from the recorded client', () => {
	expect(Object.keys(signatures)).toHaveLength(10);
	expect(signatures.APINodeClient).toEqual(expect.arrayContaining(['no_check_certificate', 'client_certificate']));
	expect(signatures.run_function).toEqual(['endpoint_id', 'kwargs']);
});

test.each(Object.entries(signatures))(
	'the table has a row for each parameter of %s, and no other row',
	(method, parameters) => {
		expect(rows.filter((row) => row.method === method).map(({ parameter }) => parameter)).toEqual(parameters);
	},
);

test('the table has no method that the Python client lacks', () => {
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

test("each row on Dataiku's documentation has a source and what the nodes do", () => {
	const cells = ofFeatures
		.split('\n')
		.filter((line) => /^\| (?!---|What \|)/.test(line))
		.map((line) => line.split(' | '));
	expect(cells.length).toBeGreaterThan(30);
	for (const [what = '', done = '', source = ''] of cells) {
		expect([what, done.length > 10, source]).toEqual([
			what,
			true,
			expect.stringMatching(/^\[[^\]]+\]\[\w+\]|^none public/),
		]);
	}
	const links = new Set([...ofFeatures.matchAll(/\]\[(\w+)\]/g)].map(([, name]) => name));
	const targets = new Set([...ofFeatures.matchAll(/^\[(\w+)\]: https:\/\/\S+$/gm)].map(([, name]) => name));
	expect(links).toEqual(targets);
});

test('the columns that the table names are the columns of the nodes', () => {
	const named = ofFeatures.split('\n').flatMap((line) => /\| (Predict|Forecast): (.*?) \|/.exec(line)?.[2] ?? []);
	const columns = new Set(named.flatMap(quoted));
	expect(columns.size).toBeGreaterThan(5);
	const nodes = read('../../docs/nodes.md');
	expect([...columns].filter((name) => !new RegExp(`[\`, ]${name}[\`, ]`).test(nodes))).toEqual([]);
});
