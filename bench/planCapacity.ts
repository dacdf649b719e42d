/** `npm run capacity -- --records 10000 --request-ms 20 --pipelines 8`: what such a load takes, and the way there. */
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { batchSize, plan, steps, type Load } from './capacity';

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

function number(name: keyof typeof values): number {
	const value = Number(values[name]);
	if (value >= 0) return value;
	throw new Error(`--${name} must be a number`);
}

const each = {
	requestMs: number('request-ms'),
	recordMs: number('record-ms'),
	pipelines: number('pipelines'),
	recordsPerCall: values['records-per-call'] === undefined ? undefined : number('records-per-call'),
};
const load: Load = {
	...each,
	batchSize: values['batch-size'] === undefined ? batchSize(each) : number('batch-size'),
};

const rounded = (value: number) => Math.round(value).toLocaleString('en');
const table = (head: string[], rows: string[][]) => {
	const made = new Table({ head, style: { head: [], border: [] } });
	made.push(...rows);
	console.log(made.toString());
};

const { instances, workers, requestsPerSecond, connections, connectionsEach } = plan(number('records'), load);
table(
	['batch size', 'requests per second', 'instances', 'workers', 'connections', 'of a worker to an instance'],
	[[load.batchSize, requestsPerSecond, instances, workers, connections, connectionsEach].map(rounded)],
);
table(
	['instances', 'workers', 'records per second', 'breaks first'],
	steps(number('records'), load).map((step) => [
		rounded(step.instances),
		rounded(step.workers),
		rounded(step.holds),
		step.breaks,
	]),
);
