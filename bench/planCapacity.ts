/** `npm run capacity -- --records 10000 --request-ms 20 --pipelines 8`: what such a load takes, and the way there. */
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { batchSize, plan, steps, type Load } from './capacity';

/** @throws Error where an option is missing, unknown or no number */
function asked(): { records: number; load: Load } {
	const { values } = parseArgs({
		options: {
			/** Per second. */
			records: { type: 'string' },
			'request-ms': { type: 'string' },
			'record-ms': { type: 'string', default: '0' },
			pipelines: { type: 'string', default: '8' },
			'batch-size': { type: 'string' },
			'records-per-call': { type: 'string' },
		},
	});
	const number = (name: keyof typeof values, least = Number.MIN_VALUE) => {
		const value = Number(values[name] || NaN);
		if (value >= least && value < Infinity) return value;
		throw new Error(`--${name} must be a number ${least > 0 ? 'above 0' : 'from 0'}`);
	};
	const each = {
		requestMs: number('request-ms'),
		recordMs: number('record-ms', 0),
		pipelines: number('pipelines'),
		recordsPerCall: values['records-per-call'] === undefined ? undefined : number('records-per-call'),
	};
	const size = values['batch-size'] === undefined ? batchSize(each) : number('batch-size');
	return { records: number('records'), load: { ...each, batchSize: size } };
}

const rounded = (value: number) => Math.round(value).toLocaleString('en');
const table = (head: string[], rows: string[][]) => {
	const made = new Table({ head, style: { head: [], border: [] } });
	made.push(...rows);
	console.log(made.toString());
};

function print({ records, load }: ReturnType<typeof asked>): void {
	const { instances, workers, requestsPerSecond, connections, connectionsEach } = plan(records, load);
	table(
		['batch size', 'requests per second', 'instances', 'workers', 'connections', 'of a worker to an instance'],
		[[load.batchSize, requestsPerSecond, instances, workers, connections, connectionsEach].map(rounded)],
	);
	table(
		['instances', 'workers', 'records per second', 'breaks first'],
		steps(records, load).map((step) => [
			rounded(step.instances),
			rounded(step.workers),
			rounded(step.holds),
			step.breaks,
		]),
	);
}

try {
	print(asked());
} catch (error) {
	console.error((error as Error).message);
	process.exitCode = 2;
}
