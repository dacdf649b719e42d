/** `npm run test:versions`: one package, packed once, in several releases of n8n; prints what runs in each. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Table from 'cli-table3';
import {
	installN8n,
	installRelease,
	pinnedVersion,
	type Installation,
	type Release,
} from '../../demo/n8n/installation';
import { packOwnPackage } from '../../demo/n8n/own-package';
import { SUBJECT, type Subject } from '../e2e/setup';

interface Tested extends Release {
	/** Workflows that need what this n8n does not have yet, and what that is. */
	cannot: Partial<Record<string, string>>;
}

// n8n takes xlsx from its author's server. The others are allowed to be newer than the rest of LangChain that these releases have.
const overrides = { xlsx: '0.18.5', '@langchain/langgraph-checkpoint': '1.0.0' };
const reason = 'create a data table';
const withoutTables = {
	'Dataiku: forecast the sales of each store': reason,
	'Dataiku: join scores with what became of them': reason,
	'4. Forecast the sales of each store': reason,
	'11. Compare scores with outcomes': reason,
};
const releases: Tested[] = [
	{
		version: '1.123.81',
		// The last one that runs on Node.js 20, where what its newer engine for expressions needs cannot be compiled.
		node: process.execPath,
		overrides: { ...overrides, 'isolated-vm': '-' },
		env: { N8N_EXPRESSION_ENGINE: 'legacy' },
		cannot: withoutTables,
	},
	{ version: '2.0.3', overrides, cannot: withoutTables },
	{ version: '2.20.12', overrides: { ...overrides, '@langchain/langgraph@^1.1.2': '1.1.2' }, cannot: {} },
];

interface Outcome {
	title: string;
	group: string | undefined;
	passed: boolean;
}

async function outcomes(folder: string, subject: Subject): Promise<Outcome[]> {
	const file = path.join(folder, 'outcomes.json');
	await rm(file, { force: true });
	const jest = [require.resolve('jest/bin/jest'), '--config', 'jest.e2e.config.js', 'test/e2e/workflows.test.ts'];
	const child = spawn(process.execPath, [...jest, '--json', `--outputFile=${file}`], {
		cwd: path.resolve(__dirname, '../..'),
		env: { ...process.env, [SUBJECT]: JSON.stringify(subject) },
		stdio: ['ignore', process.stderr, process.stderr],
	});
	await once(child, 'close');
	const written = await readFile(file, 'utf8').catch(() => '{ "testResults": [] }');
	const { testResults } = JSON.parse(written) as {
		testResults: Array<{ assertionResults: Array<{ title: string; ancestorTitles: string[]; status: string }> }>;
	};
	return testResults.flatMap(({ assertionResults }) =>
		assertionResults.map(({ title, ancestorTitles, status }) => ({
			title,
			group: ancestorTitles[0],
			passed: status === 'passed',
		})),
	);
}

async function main(): Promise<void> {
	const report = (text: string) => process.stderr.write(text);
	const folder = await mkdtemp(path.join(tmpdir(), 'n8n-versions-'));
	const table = new Table({
		head: [
			'n8n',
			'Node.js',
			'Nodes and credentials that load',
			'Examples',
			'Saved workflows',
			'What this n8n release cannot do',
		],
		style: { head: [], border: [] },
	});
	let unexpected = false;
	try {
		const archive = await packOwnPackage(folder);
		const row = async (version: string, installation: Installation, cannot: Tested['cannot']) => {
			const all = await outcomes(folder, { installation, archive });
			const isKnown = ({ title }: Outcome) => Object.keys(cannot).some((name) => title.includes(`"${name}" runs`));
			unexpected ||= all.length === 0 || all.some((outcome) => outcome.passed === isKnown(outcome));
			const count = (of: (group: string | undefined, title: string) => boolean) => {
				const counted = all.filter(({ group, title }) => of(group, title));
				return `${counted.filter(({ passed }) => passed).length} of ${counted.length}`;
			};
			const loaded = all.some(({ title, passed }) => passed && title.startsWith('n8n has every node'));
			table.push([
				version,
				await nodeVersion(installation),
				loaded ? 'all' : 'not all',
				count((group) => group === 'of examples'),
				count((group) => group !== undefined && group !== 'of examples'),
				[...new Set(Object.values(cannot))].join(', '),
			]);
		};
		for (const { cannot, ...release } of releases) {
			const place = path.join(folder, release.version);
			report(`n8n ${release.version}: installing\n`);
			await row(release.version, await installRelease(release, place, { report }), cannot);
			await rm(place, { recursive: true, force: true });
		}
		await row(pinnedVersion(), await installN8n({ report }), {});
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
	console.log(table.toString());
	if (unexpected) throw new Error('Not everything ran that should: see above');
}

async function nodeVersion({ node }: Installation): Promise<string> {
	const child = spawn(node, ['--version'], { stdio: ['ignore', 'pipe', 'inherit'] });
	const [version] = (await once(child.stdout, 'data')) as [Buffer];
	return version.toString().trim().replace(/^v/, '').split('.', 1)[0]!;
}

main().then(
	() => process.exit(0),
	(error: Error) => {
		console.error(error.message);
		process.exit(1);
	},
);
