import { ResponseError, StatusError } from '../../../client';
import { failureOf, Stage } from '../harness';
import { chaosProxy, type ChaosProxy } from '../../support/chaosProxy';

const stage = new Stage();
let proxy: ChaosProxy;
beforeEach(async () => (proxy = await chaosProxy()));
afterEach(async () => await proxy.close());

const client = () => stage.client({ url: proxy.url, serviceId: 's' });

test.each<[string, object, string]>([
	['the API node', { errorType: 'X', message: 'm', detailedMessage: 'the whole' }, 'the whole'],
	['FastAPI in a text', { detail: 'No such model' }, 'No such model'],
	[
		'FastAPI in a list',
		{
			detail: [
				{ loc: ['body', 'features', 'amount'], msg: 'field required', type: 'missing' },
				{ loc: ['query', 'v'], msg: 'not a number' },
			],
		},
		'features.amount: field required; query.v: not a number',
	],
	['FastAPI in an object', { detail: { message: 'No credit', code: 3 } }, 'No credit'],
	['RFC 9457', { type: 'about:blank', title: 'Out of credit', detail: 'The balance is 30.' }, 'The balance is 30.'],
	['RFC 9457 without a detail', { title: 'Out of credit', status: 403 }, 'Out of credit'],
	['ASP.NET', { title: 'Validation failed', errors: { amount: ['is missing'] } }, 'amount: is missing'],
	['Apigee', { fault: { faultstring: 'Quota exceeded', detail: { errorcode: 'q' } } }, 'Quota exceeded'],
	['Google and Azure', { error: { code: 400, message: 'Bad amount' } }, 'Bad amount'],
	['a list of errors', { errors: [{ message: 'first' }, { detail: 'second' }, 'third'] }, 'first; second; third'],
	['OAuth2', { error: 'invalid_grant', error_description: 'The code has expired' }, 'The code has expired'],
	['AWS', { Message: 'User is not authorized' }, 'User is not authorized'],
	['Lambda', { errorMessage: 'Task timed out', errorType: 'Runtime' }, 'Task timed out'],
	['Spring', { status: 400, error: 'Bad Request', message: '' }, 'Bad Request'],
])('the sentence of %s comes first when a status is an error', async (_of, body, detail) => {
	proxy.setFault({ kind: 'answer', status: 400, body });

	expect(await failureOf(client().predictRecord('e', {}))).toMatchObject({ status: 400, detail });
});

test.each<[string, object]>([
	['numbers alone', { code: 3 }],
	['a key that is no error', { reason: 'night' }],
])('the text is shown unchanged when JSON contains %s', async (_what, body) => {
	proxy.setFault({ kind: 'answer', status: 400, body });

	expect(await failureOf(client().predictRecord('e', {}))).toMatchObject({ detail: JSON.stringify(body) });
});

test('deeply nested JSON does not overflow the stack', async () => {
	proxy.setFault({ kind: 'answer', status: 400, body: `${'{"error":'.repeat(5_000)}1${'}'.repeat(5_000)}` });

	expect(await failureOf(client().predictRecord('e', {}))).toBeInstanceOf(StatusError);
});

describe('a response with status 200 that contains an error', () => {
	const calls: Array<[string, () => Promise<unknown>]> = [
		['predictRecord', () => client().predictRecord('e', {})],
		['predictRecords', () => client().predictRecords('e', [{ features: {} }, { features: {} }])],
		['predictEffect', () => client().predictEffect('e', {})],
		['lookupRecord', () => client().lookupRecord('e', {})],
		['forecast', () => client().forecast('e', [{}])],
		['sqlQuery', () => client().sqlQuery('e', {})],
	];
	test.each(calls)('%s fails with its sentence after one request', async (_name, call) => {
		proxy.setFault({ kind: 'answer', body: { errorType: 'SQLException', message: 'No such table' } });
		const failure = await failureOf(call());

		expect(failure).toBeInstanceOf(ResponseError);
		expect(failure).toMatchObject({ reason: 'misfit', errorType: 'SQLException', detail: 'No such table' });
		expect(proxy.requests).toHaveLength(1);
	});

	test.each([
		{ fault: { faultstring: 'Quota' } },
		{ error: { message: 'Quota' } },
		{ detail: 'Quota' },
		{ message: 'Quota' },
		{ statusCode: 429, message: 'Quota' },
		{ Message: 'Quota' },
		{ type: 'about:blank', title: 'Quota', status: 429 },
	])('tells its sentence when it is %j', async (body) => {
		proxy.setFault({ kind: 'answer', body });
		expect(await failureOf(client().predictRecord('e', {}))).toMatchObject({ detail: 'Quota' });
	});

	test('is the result of a function', async () => {
		proxy.setFault({ kind: 'answer', body: { errorType: 'mine', message: 'fine' } });
		expect(await client().runFunction('e')).toEqual({ errorType: 'mine', message: 'fine' });
	});

	test('is a result when it contains a result', async () => {
		proxy.setFault({ kind: 'answer', body: { result: { prediction: 1 }, error: 'a warning' } });
		expect(await client().predictRecord('e', {})).toMatchObject({ result: { prediction: 1 } });
	});
});

test.each<[string, object]>([
	['no result', { result: null, errorType: 'X', message: 'Model crashed on amount' }],
	['an empty list of results', { results: [], errorType: 'X', message: 'Model crashed on amount' }],
	['no table', { columns: null, rows: [], error: { message: 'Model crashed on amount' } }],
])('an error with a status of success comes first with its own sentence when %s is next to it', async (_what, body) => {
	proxy.setFault({ kind: 'answer', body: body as never });
	const calls = [
		client().predictRecord('e', { features: { amount: 1 } }),
		client().predictRecords('e', [{ features: { amount: 1 } }]),
		client().sqlQuery('e', {}),
	];
	for (const call of calls) expect((await failureOf(call)).detail).toBe('Model crashed on amount');
});

test.each<[string, object]>([
	['a number of updated rows', { updatedRows: 0, error: 'E1' }],
	['columns without rows', { columns: ['error'], rows: [], error: 'E1' }],
])('a response is not an error when it contains %s', async (_what, body) => {
	proxy.setFault({ kind: 'answer', body: body as never });
	expect(await client().sqlQuery('e', {})).toEqual(body);
});
